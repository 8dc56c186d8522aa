"""``everfit example``: months of invented trips, arriving as files in the data folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from pipeline_components.contracts.errors import UserError
from pipeline_components.contracts.settings import Settings

FOLDER = "nyc_yellow"
DEFAULT_MONTHS = 6
MOST_MONTHS = 120

Write = Callable[[str, bytes], None]


def command(options: argparse.Namespace) -> int:
    """Write the months that are not there yet; existing files are left alone."""
    from pipeline_components.example.trips import month_csv, month_of

    there, write, shown = _place(Settings.from_environment())
    months = [month_of(index) for index in range(MOST_MONTHS)]
    names = [f"{year}-{month:02d}.csv" for year, month in months]
    count = sum(name in there for name in names)
    wanted = options.months
    if wanted is None:
        wanted = count + 1 if options.next else max(count, DEFAULT_MONTHS)
    if not 1 <= wanted <= MOST_MONTHS or not 1 <= options.rows <= 1_000_000:
        raise UserError(
            "EXAMPLE", "everfit example", f"months are 1 to {MOST_MONTHS}, rows 1 to 1,000,000",
            f"asked for {wanted} months of {options.rows} rows", "Ask for less",
        )  # fmt: skip
    written = 0
    for name, (year, month) in list(zip(names, months, strict=True))[:wanted]:
        if name not in there:
            write(name, month_csv(year, month, options.rows, options.seed).encode())
            written += 1
    sys.stdout.write(f"{shown}: {wanted} months, {written} of them new.\n")
    return 0


def _place(settings: Settings) -> tuple[set[str], Write, str]:
    """The names in the data folder's months, what writes another, and where that is."""
    if isinstance(settings.data, str):
        from pipeline_components.example.bucket import Months
        from pipeline_components.source.data_folder import s3_prefix

        months = Months(f"{s3_prefix(settings.data)}/{FOLDER}")
        return months.names(), months.write, months.address
    folder = settings.data / FOLDER
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return there, lambda name, data: _write(folder / name, data), str(folder)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    aside.write_bytes(data)
    aside.replace(path)
