"""Walking a folder for what a pattern names, past what can be no file."""

from __future__ import annotations

import errno
import fnmatch
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from everfit.contracts.errors import SourceError
from everfit.data.sources.grouping import refuse_tables
from everfit.data.sources.listing import has_known_suffix, is_candidate

_NO_FILE = {
    stat.S_IFIFO: "it is a named pipe",
    stat.S_IFSOCK: "it is a socket",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
}


@dataclass
class Walk:
    """One walk below the fixed part of an address."""

    uri: str
    fixed: str
    single: bool
    """Whether the address names one file."""
    odd: dict[str, str] = field(default_factory=dict)
    """Name → why it is left out, of what the pattern names and cannot be read."""

    def files(self, base: Path, pattern: tuple[str, ...]) -> Iterator[tuple[str, os.stat_result]]:
        """Every file that the pattern names, by its name below ``base``, in the order of names.

        Raises
        ------
        SourceError
            If a folder may not be read: what is in it would be missing.
        """
        real = os.path.realpath(base)
        for name, path in sorted(set(self._below(base, pattern, ""))):
            try:
                status = path.stat()
            except PermissionError as error:
                raise unreadable(f"{self.fixed}/{name}", error) from error
            except OSError as error:
                self.odd[name] = why_broken(error)
                continue
            if not stat.S_ISREG(status.st_mode):
                self.odd[name] = _NO_FILE.get(stat.S_IFMT(status.st_mode), "it is no file")
            elif os.path.commonpath([real, os.path.realpath(path)]) != real:
                self.odd[name] = f"its link leads outside of {self.fixed or '.'}"
            else:
                yield name, status

    def _below(
        self, folder: Path, pattern: tuple[str, ...], prefix: str
    ) -> Iterator[tuple[str, Path]]:
        try:
            entries = list(os.scandir(folder))
        except PermissionError as error:
            raise unreadable(f"{self.fixed}/{prefix}".rstrip("/"), error) from error
        except (FileNotFoundError, NotADirectoryError):
            return  # removed since its name was read
        if pattern[0] == "**":
            yield from self._below(folder, pattern[1:] or ("*",), prefix)
        if not self.single:
            refuse_tables([prefix + entry.name for entry in entries], self.uri)
            entries = [entry for entry in entries if is_candidate(entry.name)]
        for entry in entries:
            is_folder = _is_folder(entry)
            named = is_folder if pattern[0] == "**" else fnmatch.fnmatchcase(entry.name, pattern[0])
            if named and shown(entry.name) != entry.name:
                self.odd[shown(prefix + entry.name)] = "its name is not UTF-8; rename it"
            elif named and pattern[0] == "**":
                yield from self._any_depth(entry, pattern, prefix)
            elif named:
                yield from self._next(entry, pattern[1:], prefix, is_folder=is_folder)

    def _any_depth(
        self, entry: os.DirEntry[str], pattern: tuple[str, ...], prefix: str
    ) -> Iterator[tuple[str, Path]]:
        """A folder that ``**`` goes through."""
        if entry.is_symlink():
            self.odd[prefix + entry.name] = (
                "it is a link to a folder, which ** does not follow; name it in source.uri"
            )
        else:
            yield from self._below(Path(entry.path), pattern, f"{prefix}{entry.name}/")

    def _next(
        self, entry: os.DirEntry[str], rest: tuple[str, ...], prefix: str, *, is_folder: bool
    ) -> Iterator[tuple[str, Path]]:
        """What the first part of a pattern named, with what is left of it."""
        name = prefix + entry.name
        if rest and is_folder:
            yield from self._below(Path(entry.path), rest, f"{name}/")
        elif rest:
            if entry.is_symlink() and (why := _leads_nowhere(entry)) is not None:
                self.odd[name] = why
        elif not is_folder:
            yield name, Path(entry.path)
        elif has_known_suffix(entry.name) and not entry.is_symlink():
            # A table that is a folder, as Spark writes one.
            yield from self._below(Path(entry.path), ("**", "*"), f"{name}/")


def shown(name: str) -> str:
    r"""A file's name as text; bytes of it that are not UTF-8 are spelt out.

    Examples
    --------
    >>> shown("a.csv"), shown("caf\udce9.csv")
    ('a.csv', 'caf\\xe9.csv')
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def why_broken(error: OSError) -> str:
    """Why a name that is in its folder leads to nothing.

    Raises
    ------
    OSError
        The error itself, where it may pass or says something else.
    """
    if error.errno == errno.ELOOP:
        return "its link leads to itself"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "its link leads nowhere"
    raise error


def unreadable(where: str, error: OSError) -> SourceError:
    """What this user may not read."""
    return SourceError(
        "SOURCE-UNREADABLE",
        where,
        "this user must be allowed to read the source",
        error.strerror,
        "Give read permission and run again",
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        why_broken(error)
        return False


def _leads_nowhere(entry: os.DirEntry[str]) -> str | None:
    """Why a link leads to nothing; None for one that leads to something."""
    try:
        entry.stat()
    except OSError as error:
        return why_broken(error)
    return None
