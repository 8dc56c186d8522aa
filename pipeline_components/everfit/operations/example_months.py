"""Months of invented taxi trips, arriving as files in the data folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from everfit.contracts.errors import UserError

if TYPE_CHECKING:
    from everfit.contracts.settings import Settings

FOLDER = "nyc_yellow"
DEFAULT_MONTHS = 6
DEFAULT_ROWS = 10_000
DEFAULT_SEED = 2018
MOST_MONTHS = 120

Write = Callable[[str, bytes], None]


class Months:
    """The months of the data folder, and those that could come.

    Parameters
    ----------
    settings : Settings
        Say where the data folder is.

    Attributes
    ----------
    place : str
        The folder or bucket of the months.
    """

    def __init__(self, settings: Settings) -> None:
        from everfit.data.example.trips import month_of

        self._there, self._write, self.place = _place(settings)
        months = (month_of(index) for index in range(MOST_MONTHS))
        self._names = {f"{year}-{month:02d}.csv": (year, month) for year, month in months}

    def there(self) -> int:
        """How many there are."""
        return sum(name in self._there for name in self._names)

    def write(self, wanted: int, rows: int, seed: int, begin: Callable[[str], None]) -> list[str]:
        """Write what is missing of so many months; files that are there are left alone.

        Parameters
        ----------
        begin : callable
            Is told which is written next.

        Returns
        -------
        list of str
            The names of the new ones.

        Raises
        ------
        UserError
            If too many months or rows are asked for.
        """
        from everfit.data.example.trips import month_csv

        if not 1 <= wanted <= MOST_MONTHS or not 1 <= rows <= 1_000_000:
            raise UserError(
                "EXAMPLE",
                "everfit example",
                f"months are 1 to {MOST_MONTHS}, rows 1 to 1,000,000",
                f"asked for {wanted} months of {rows} rows",
                "Ask for less",
            )
        new = []
        for name, (year, month) in list(self._names.items())[:wanted]:
            if name not in self._there:
                begin(f"writing {name}")
                self._write(name, month_csv(year, month, rows, seed).encode())
                new.append(name)
        return new


def _place(settings: Settings) -> tuple[set[str], Write, str]:
    """The names in the data folder's months, what writes another, and where that is."""
    if isinstance(settings.data, str):
        from everfit.data.example.bucket import Months as InBucket
        from everfit.data.sources.data_folder import s3_prefix

        months = InBucket(f"{s3_prefix(settings.data)}/{FOLDER}")
        return months.names(), months.write, months.address
    folder = settings.data / FOLDER
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return there, lambda name, data: _write(folder / name, data), str(folder)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    aside.write_bytes(data)
    aside.replace(path)
