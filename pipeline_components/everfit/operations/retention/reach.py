"""Which blobs are reached from which: through every digest in every document, without end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from everfit.contracts.base import Digest
from everfit.operations.retention.census import Census


@dataclass
class Reach:
    """What has been reached, and why first.

    Attributes
    ----------
    why : dict
        Blob → the first reason it is kept for.
    """

    census: Census
    why: dict[Digest, str] = field(default_factory=dict)
    _followed: set[Digest] = field(default_factory=set)

    def add(self, digests: Iterable[Digest], why: str, *, follow: bool = True) -> None:
        """Reach blobs, and through those that are documents all that they name.

        Parameters
        ----------
        digests : iterable of Digest
            Also such as are no blobs: run keys, digests of code.
        why : str
        follow : bool
            False: these alone, not what they name.

        Raises
        ------
        IntegrityError
            If a document is altered.
        """
        level = [digest for digest in digests if digest in self.census.blobs]
        while level:
            found: list[Digest] = []
            for digest in level:
                self.why.setdefault(digest, why)
                if follow and digest not in self._followed:
                    self._followed.add(digest)
                    found += self.census.of_blob(digest).digests & self.census.blobs.keys()
            level = [digest for digest in found if digest not in self._followed]
