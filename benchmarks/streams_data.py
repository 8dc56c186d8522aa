"""Streams for ``streams.py``: real tables cut into spans, and invented ones of known truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

COMMON: dict[str, Any] = {
    "holdout": {"spans": 1},
    "train": {"families": ["linear", "gradient_boosting"], "trials": 2, "folds": 2, "seed": 7},
    "triggers": {"any": [{"drift": {"for": "2 of 3"}}, {"decay": {"for": "2 of 3"}}]},
}
MONEY = [
    "fare_amount", "extra", "mta_tax", "tip_amount", "tolls_amount", "improvement_surcharge",
    "total_amount", "congestion_surcharge", "payment_type", "dropoff_datetime",
]  # fmt: skip
INVENTED_SPANS, INVENTED_ROWS = 24, 480


@dataclass(frozen=True)
class Stream:
    """A stream: its spec, and its spans oldest first."""

    name: str
    spec: dict[str, Any]
    spans: list[tuple[str, datetime, pd.DataFrame]]
    """Name, when it was complete, rows."""

    def write(self, folder: Path) -> None:
        """A CSV file for each span."""
        folder.mkdir(parents=True)
        for name, _, rows in self.spans:
            rows.to_csv(folder / f"{name}.csv", index=False)


def streams(data: Path, names: set[str]) -> Iterator[Stream]:
    """Those named; all of them where none is.

    Parameters
    ----------
    data : Path
        The shared folder of real tables.
    """
    makers = {"taxi": taxi, "elec2": elec2, "bikes": bikes}
    for name, make in makers.items():
        if not names or name in names:
            yield make(data)
    for world in WORLDS:
        if not names or world in names:
            yield invented(world)


def taxi(data: Path) -> Stream:
    """Eighteen months of yellow taxi trips: how many minutes one takes."""
    spans = []
    for path in sorted((data / "nyc_yellow").glob("*.csv")):
        rows = pd.read_csv(path, low_memory=False)
        begin, end = (pd.to_datetime(rows[c]) for c in ("pickup_datetime", "dropoff_datetime"))
        rows["minutes"] = (end - begin).dt.total_seconds() / 60
        sound = rows["minutes"].between(0, 240, inclusive="neither")
        until = (pd.Period(path.stem, "M") + 1).to_timestamp().to_pydatetime()
        spans.append((path.stem, until, rows[sound].drop(columns=MONEY)))
    spec = {
        "task": "regression", "target": "minutes", "time": "pickup_datetime",
        "window": {"spans": 6},
        "gate": {"metric": "mae", "superior_by": "1%", "baseline": "median"},
    }  # fmt: skip
    return Stream("taxi", COMMON | spec, spans)


def elec2(data: Path) -> Stream:
    """Two and a half years of half-hours: does the price of electricity rise or fall."""
    rows = pd.read_csv(data / "elec2" / "elec.csv")
    rows["at"] = datetime(1996, 5, 7) + timedelta(minutes=30) * np.arange(len(rows))
    spans = []
    for start in range(0, len(rows) - 1343, 1344):
        part = rows.iloc[start : start + 1344]
        name = f"{part['at'].iloc[0]:%Y-%m-%d}"
        spans.append((name, part["at"].iloc[-1] + timedelta(minutes=30), part))
    spec = {
        "task": "binary", "target": "class", "time": "at", "window": {"spans": 4},
        "gate": {"metric": "log_loss", "superior_by": "1%", "baseline": "prior"},
    }  # fmt: skip
    return Stream("elec2", COMMON | spec, spans)


def bikes(data: Path) -> Stream:
    """Two years of bicycle hires by the hour: how many."""
    rows = pd.read_csv(data / "bikes" / "hour.csv")
    rows = rows.drop(columns=[name for name in rows.columns if name.startswith("Unnamed")])
    rows["at"] = pd.to_datetime(rows["dteday"], format="%m/%d/%y") + pd.to_timedelta(
        rows["hr"], "h"
    )
    spans = []
    for period, part in rows.groupby(rows["at"].dt.to_period("M")):
        spans.append((str(period), (period + 1).to_timestamp().to_pydatetime(), part))
    spec = {
        "task": "regression", "target": "cnt", "time": "at", "window": {"spans": 4},
        "features": {"drop": ["casual", "registered", "instant", "X", "dteday"]},
        "gate": {"metric": "mae", "superior_by": "1%", "baseline": "median"},
    }  # fmt: skip
    return Stream("bikes", COMMON | spec, spans)


def _concept(world: str, span: int) -> tuple[float, float]:
    """How far the truth has turned, in radians, and how much noisier it is."""
    if world == "abrupt":
        return (0.0 if span < INVENTED_SPANS // 2 else 1.2), 1.0
    if world == "gradual":
        return 1.6 * span / INVENTED_SPANS, 1.0
    if world == "season":
        return 0.0, 1.0 + 0.5 * np.sin(2 * np.pi * span / 12)
    if world == "shock":
        return (1.2 if span in (12, 13) else 0.0), 1.0
    return 0.0, 1.0


WORLDS = ("abrupt", "gradual", "season", "shock", "none")
"""One change for good; a change that never ends; every autumn is harder for any model; two spans
of another world, and back; nothing."""


def invented(world: str) -> Stream:
    """Six numbers and a target whose direction among them turns, or whose noise does."""
    rng = np.random.default_rng([17, WORLDS.index(world)])
    start, spans = datetime(2020, 1, 1), []
    for span in range(INVENTED_SPANS):
        begin = start + timedelta(days=30 * span)
        x = rng.normal(size=(INVENTED_ROWS, 6))
        turn, noise = _concept(world, span)
        direction = np.array([np.cos(turn), np.sin(turn), 0.5, 0, 0, 0])
        y = x @ direction + 0.5 * x[:, 3] * x[:, 4] + noise * rng.normal(size=INVENTED_ROWS)
        rows = pd.DataFrame(x, columns=[f"x{i}" for i in range(6)]).round(6)
        rows["y"] = y.round(6)
        rows["at"] = [begin + timedelta(minutes=90 * i) for i in range(INVENTED_ROWS)]
        spans.append((f"{begin:%Y-%m-%d}", begin + timedelta(days=30), rows))
    spec = {
        "task": "regression", "target": "y", "time": "at", "window": {"spans": 4},
        "gate": {"metric": "mae", "superior_by": "1%", "baseline": "median"},
    }  # fmt: skip
    return Stream(world, COMMON | spec, spans)
