"""Which deployment a ledger is of, and the digests of what was computed once and kept."""

from __future__ import annotations

import secrets
from typing import Any

from everfit.contracts.base import Digest
from everfit.contracts.clock import Clock, iso, now
from everfit.storage.ledger import statements
from everfit.storage.ledger.connection import Connection
from everfit.storage.ledger.records import ResultRecord


class Kept:
    """What every part of the ledger writes and reads by, and the two kinds of records above.

    A result lies in the store, where others than Everfit may write. So the ledger keeps its digest,
    and bytes that differ from it are no result.
    """

    def __init__(self, connection: Connection, clock: Clock = now) -> None:
        self._connection = connection
        self._clock = clock

    @property
    def where(self) -> str:
        """What to call the ledger in an error; holds no secret."""
        return self._connection.where

    def deployment(self) -> str | None:
        """The name of the deployment that the ledger is of; None before its first record."""
        rows = self._connection.rows(statements.DEPLOYMENT, {})
        return str(rows[0][0]) if rows else None

    def claim_deployment(self) -> str:
        """The name of the deployment, given now where there is none; the first one counts."""
        known = self.deployment()
        if known is not None:
            return known
        self._connection.insert(
            statements.INSERT_DEPLOYMENT, {"name": secrets.token_hex(16), "at": self._now()}
        )
        named = self.deployment()
        assert named is not None  # it is never removed
        return named

    def result(self, made: str, key: Digest) -> ResultRecord | None:
        """What was kept under a content key, if anything: the newest counts."""
        return self._first(statements.RESULTS, statements.OF_RESULT_KEY, made=made, key=key)

    def record_result(self, made: str, key: Digest, digest: Digest, after: int = 0) -> ResultRecord:
        """Record what was kept under a content key, unless somebody was faster.

        Parameters
        ----------
        made : str
            What made it: a step, or the name of a value that is kept.
        after : int
            Number of the record whose bytes were lost, which this one replaces; 0 for none.

        Returns
        -------
        ResultRecord
            The one that counts from now on.
        """
        record = ResultRecord(made=made, key=key, digest=digest, number=after + 1)
        self._insert(statements.RESULTS, record)
        return self._one(statements.RESULTS, statements.OF_RESULT_KEY, made=made, key=key)

    def close(self) -> None:
        """Let the database go."""
        self._connection.close()

    def _now(self) -> str:
        return iso(self._clock())

    def _insert(self, kind: statements.Kind[Any], record: Any, **more: Any) -> None:
        self._connection.insert(kind.insert, {**kind.row(record), **more, "at": self._now()})

    def _select(
        self, kind: statements.Kind[statements.Record], where: str, **values: Any
    ) -> list[statements.Record]:
        rows = self._connection.rows(kind.select + where, values)
        return [kind.read(row, self.where) for row in rows]

    def _first(
        self, kind: statements.Kind[statements.Record], where: str, **values: Any
    ) -> statements.Record | None:
        return next(iter(self._select(kind, where, **values)), None)

    def _one(
        self, kind: statements.Kind[statements.Record], where: str, **values: Any
    ) -> statements.Record:
        return self._select(kind, where, **values)[0]
