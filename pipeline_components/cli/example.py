"""``everfit example``: months of invented trips, arriving as files in the data folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline_components.contracts.errors import UserError
from pipeline_components.contracts.settings import Settings

FOLDER = "nyc_yellow"
DEFAULT_MONTHS = 6
MOST_MONTHS = 120


def command(options: argparse.Namespace) -> int:
    """Write the months that are not there yet; existing files are left alone."""
    from pipeline_components.example.trips import month_of

    folder = Settings.from_environment().data / FOLDER
    names = [f"{year}-{month:02d}.csv" for year, month in map(month_of, range(MOST_MONTHS))]
    there = sum((folder / name).exists() for name in names)
    wanted = options.months
    if wanted is None:
        wanted = there + 1 if options.next else max(there, DEFAULT_MONTHS)
    if not 1 <= wanted <= MOST_MONTHS or not 1 <= options.rows <= 1_000_000:
        raise UserError(
            "EXAMPLE", "everfit example", f"months are 1 to {MOST_MONTHS}, rows 1 to 1,000,000",
            f"asked for {wanted} months of {options.rows} rows", "Ask for less",
        )  # fmt: skip
    written = 0
    for index in range(wanted):
        path = folder / names[index]
        if not path.exists():
            _write(path, index, options.rows, options.seed)
            written += 1
    sys.stdout.write(f"{folder}: {wanted} months, {written} of them new.\n")
    return 0


def _write(path: Path, index: int, rows: int, seed: int) -> None:
    from pipeline_components.example.trips import month_csv, month_of

    path.parent.mkdir(parents=True, exist_ok=True)
    year, month = month_of(index)
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(month_csv(year, month, rows, seed), encoding="utf-8")
    aside.replace(path)
