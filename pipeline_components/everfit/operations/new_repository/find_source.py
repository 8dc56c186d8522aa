"""From a path or an address to a pipeline's source: which files, and what their names say."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from everfit.contracts.errors import SourceError
from everfit.data.sources.periods import period_of

PERIODS = ("%Y-%m-%d", "%Y_%m_%d", "%Y%m%d", "%Y-%m", "%Y_%m", "%Y%m")
"""Patterns of a period in a file's name, the finest first."""

DELIMITERS = ",;\t|"
ADDRESSES = ("s3://", "https://", "http://")


def source_of(data: str, root: Path) -> dict[str, Any]:
    """The ``source`` of a spec for some data.

    Parameters
    ----------
    data : str
        A file, a folder of files, a glob, or an address.
    root : Path
        The repository; what lies in it is named relative to it.

    Raises
    ------
    SourceError
        If there is no file.
    """
    if data.startswith(ADDRESSES):
        return {"uri": data}
    given = Path(data).expanduser()
    given = given if given.is_absolute() else Path.cwd() / given
    files = _files(given)
    if not files:
        raise SourceError(
            "INIT-DATA",
            data,
            "the data is a file, a folder of files, a glob or an address",
            "there is no file",
            "Name it with --data",
        )
    pattern = given / f"*{''.join(files[0].suffixes)}" if given.is_dir() else given
    source: dict[str, Any] = {"uri": _named(pattern, root)}
    names = [path.name for path in files]
    if len(files) > 1 and (period := period_in(names)):
        source["period"] = period
    if ".csv" in files[0].suffixes and files[0].suffix == ".csv":
        source |= _dialect(files[0])
    return source


def period_in(names: Sequence[str]) -> str | None:
    """The pattern of a period of its own in every name, if there is one.

    Examples
    --------
    >>> period_in(["2018-01.csv", "2018-02.csv"])
    '%Y-%m'
    >>> period_in(["a.csv", "2018-02.csv"]) is None
    True
    """
    for pattern in PERIODS:
        found = {period_of(name, pattern) for name in names}
        if None not in found and len(found) == len(names):
            return pattern
    return None


def _files(given: Path) -> list[Path]:
    """The files meant, sorted; of a folder those of the ending that most have."""
    if given.is_file():
        return [given]
    if not given.is_dir():
        parts = given.parts
        fixed = next((n for n, part in enumerate(parts) if set(part) & set("*?[")), None)
        if fixed is None:
            return []
        return sorted(
            path for path in Path(*parts[:fixed]).glob("/".join(parts[fixed:])) if path.is_file()
        )
    files = [
        path
        for path in sorted(given.iterdir())
        if path.is_file() and path.suffix and not path.name.startswith((".", "_"))
    ]
    if not files:
        return []
    ((most, _),) = Counter("".join(path.suffixes) for path in files).most_common(1)
    return [path for path in files if "".join(path.suffixes) == most]


def _named(path: Path, root: Path) -> str:
    """A path as a spec names it: below the data folder, below the repository, or in full."""
    for folder, prefix in ((root / "data", "{data}/"), (root, "")):
        if path.is_relative_to(folder):
            return f"{prefix}{path.relative_to(folder)}"
    return str(path)


def _dialect(path: Path) -> dict[str, Any]:
    """Delimiter and encoding of a CSV, where they are not the usual ones."""
    with path.open("rb") as file:
        head = file.read(65_536)
    found: dict[str, Any] = {}
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not a letter that the reading has cut
            found["encoding"] = "cp1252"
        text = head.decode("cp1252", errors="replace")
    first = text.splitlines()[0] if text else ""
    counts = {mark: len(next(csv.reader([first], delimiter=mark), [])) for mark in DELIMITERS}
    best = max(counts, key=lambda mark: counts[mark])
    if counts[best] > counts[","]:
        found["delimiter"] = best
    return {"csv": found} if found else {}
