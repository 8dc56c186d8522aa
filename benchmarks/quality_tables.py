"""The tables of the quality benchmark: real ones, scikit-learn's own, and drawn ones.

Each cell is a table and a seed: rows to fit on and rows to be judged on. Where rows have an order
in time the seed moves the window and the later rows judge; else it shuffles, and a quarter judges.
The drawn tables come with the loss of the best possible prediction, by the process that drew them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
MOST_ROWS = 16_000
"""Rows of a cell, both sides."""


@dataclass(frozen=True)
class Cell:
    """Rows to fit on and rows to be judged on."""

    table: str
    seed: int
    task: str
    metric: str
    train: pd.DataFrame
    holdout: pd.DataFrame
    time: str | None = None
    derive: dict[str, str] = field(default_factory=dict)
    bayes: float | None = None
    """Loss of the best possible prediction on the holdout, where it is known."""

    @property
    def name(self) -> str:
        """``table/seed``."""
        return f"{self.table}/{self.seed}"


TARGET = "target"
Load = Callable[[int], "Cell | None"]


def _csv(path: str) -> pd.DataFrame | None:
    file = SHARED / path
    if not file.exists():
        return None
    table = pyarrow.csv.read_csv(file)
    return table.to_pandas(types_mapper={pa.string(): pd.StringDtype(na_value=np.nan)}.get)


def _shuffled(name: str, seed: int, task: str, metric: str, frame: pd.DataFrame) -> Cell:
    order = np.random.default_rng(seed).permutation(len(frame))[:MOST_ROWS]
    cut = len(order) * 3 // 4
    return Cell(
        name,
        seed,
        task,
        metric,
        frame.iloc[np.sort(order[:cut])].reset_index(drop=True),
        frame.iloc[np.sort(order[cut:])].reset_index(drop=True),
    )


def _ordered(name: str, seed: int, task: str, metric: str, frame: pd.DataFrame, time: str) -> Cell:
    frame = frame.sort_values(time, kind="stable")
    rows = min(len(frame) * 3 // 4, MOST_ROWS)
    start = (len(frame) - rows) * seed // 2
    frame = frame.iloc[start : start + rows].reset_index(drop=True)
    cut = rows * 3 // 4
    return Cell(name, seed, task, metric, frame.iloc[:cut], frame.iloc[cut:], time)


def _bikes(seed: int) -> Cell | None:
    frame = _csv("bikes/hour.csv")
    if frame is None:
        return None
    when = pd.to_datetime(frame["dteday"], format="%m/%d/%y")
    frame["when"] = (when + pd.to_timedelta(frame["hr"], unit="h")).astype("datetime64[us]")
    leaks = ["", "X", "instant", "dteday", "casual", "registered", "mnth2", "weekday2", "hr2"]
    frame = frame.drop(columns=leaks).rename(columns={"cnt": TARGET})
    return _ordered("bikes", seed, "regression", "mae", frame, "when")


def _housing(seed: int) -> Cell | None:
    frame = _csv("housing/housing.csv")
    if frame is None:
        return None
    frame = frame.rename(columns={"median_house_value": TARGET})
    return _shuffled("housing", seed, "regression", "rmse", frame)


def _diamonds(seed: int) -> Cell | None:
    frame = _csv("diamonds/diamonds.csv")
    if frame is None:
        return None
    return _shuffled("diamonds", seed, "regression", "mae", frame.rename(columns={"price": TARGET}))


def _cut(seed: int) -> Cell | None:
    frame = _csv("diamonds/diamonds.csv")
    if frame is None:
        return None
    return _shuffled("cut", seed, "multiclass", "log_loss", frame.rename(columns={"cut": TARGET}))


def _credit(seed: int) -> Cell | None:
    frame = _csv("credit/credit.csv")
    if frame is None:
        return None
    frame = frame.drop(columns="ID").rename(columns={"class": TARGET})
    return _shuffled("credit", seed, "binary", "log_loss", frame)


def _chicago(seed: int) -> Cell | None:
    frame = _csv("chicago_taxi/data.csv")
    if frame is None:
        return None
    frame[TARGET] = (frame["tips"] > 0.2 * frame["fare"]).astype(np.int64)
    return _shuffled("chicago", seed, "binary", "log_loss", frame.drop(columns="tips"))


def _elec2(seed: int) -> Cell | None:
    frame = _csv("elec2/elec.csv")
    if frame is None:
        return None
    ticks = pd.to_timedelta(np.arange(len(frame)) * 30, unit="m")
    frame["when"] = (pd.Timestamp("1996-05-07") + ticks).astype("datetime64[us]")
    frame = frame.rename(columns={"class": TARGET})
    return _ordered("elec2", seed, "binary", "log_loss", frame, "when")


def _penguins(seed: int) -> Cell | None:
    frame = _csv("penguins/penguins.csv")
    if frame is None:
        return None
    frame = frame.rename(columns={"species": TARGET})
    return _shuffled("penguins", seed, "multiclass", "log_loss", frame)


def _taxi(seed: int) -> Cell | None:
    parts = [_csv(f"nyc_yellow/2018-{3 * seed + month:02}.csv") for month in (1, 2, 3)]
    if any(part is None for part in parts):
        return None
    frame = pd.concat([part.head(5_000) for part in parts if part is not None], ignore_index=True)
    leaks = ["total_amount", "tip_amount", "tolls_amount", "extra", "mta_tax"]
    leaks += ["improvement_surcharge", "congestion_surcharge", "payment_type"]
    frame = frame.drop(columns=leaks).rename(columns={"fare_amount": TARGET})
    for name in ("pickup_datetime", "dropoff_datetime"):
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[us]")
    return _ordered("taxi", seed, "regression", "mae", frame, "pickup_datetime")


def _zones(seed: int) -> Cell | None:
    """Minutes of a trip by where it starts and ends: text of many values."""
    frame = _csv(f"nyc_yellow/2018-{seed + 7:02}.csv")
    if frame is None:
        return None
    begin, end = pd.to_datetime(frame["pickup_datetime"]), pd.to_datetime(frame["dropoff_datetime"])
    minutes = (end - begin).dt.total_seconds() / 60
    fine = minutes.between(0.5, 180)
    zones = ["pickup_location_id", "dropoff_location_id"]
    frame = frame.loc[fine, ["pickup_datetime", "passenger_count", "rate_code_id", *zones]].copy()
    frame["pickup_datetime"] = pd.to_datetime(frame["pickup_datetime"]).astype("datetime64[us]")
    for name in zones:
        frame[name] = ("zone " + frame[name].astype(str)).astype("str")
    frame[TARGET] = minutes[fine]
    return _shuffled("zones", seed, "regression", "mae", frame)


def _shipped(name: str, task: str, metric: str) -> Load:
    def load(seed: int) -> Cell:
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{name}")(as_frame=True)
        frame = bunch.data.copy()
        frame[TARGET] = bunch.target
        return _shuffled(name, seed, task, metric, frame)

    return load


def _binary(name: str, seed: int, frame: pd.DataFrame, logit: np.ndarray) -> Cell:
    chance = 1 / (1 + np.exp(-logit))
    drawn = np.random.default_rng([seed, 1]).random(len(frame)) < chance
    cell = _shuffled(name, seed, "binary", "log_loss", frame.assign(**{TARGET: drawn.astype(int)}))
    order = np.random.default_rng(seed).permutation(len(frame))[:MOST_ROWS]
    judged = np.sort(order[len(order) * 3 // 4 :])
    p = np.where(drawn[judged], chance[judged], 1 - chance[judged])
    return Cell(**{**cell.__dict__, "bayes": float(-np.log(p).mean())})


def _steps(seed: int, rows: int = 8_000) -> Cell:
    """Thresholds that interact, and noise columns: a world of trees."""
    draw = np.random.default_rng([seed, 10])
    x = draw.normal(size=(rows, 12))
    logit = 2.0 * ((x[:, 0] > 0) & (x[:, 1] > 0)) - 1.5 * (x[:, 2] > 0.5) + (x[:, 3] * x[:, 4] > 0)
    return _binary("steps", seed, pd.DataFrame(x, columns=[f"x{i}" for i in range(12)]), logit - 1)


def _lines(seed: int, rows: int = 3_000) -> Cell:
    """A weighted sum: a world of linear models."""
    draw = np.random.default_rng([seed, 20])
    x = draw.normal(size=(rows, 10))
    weights = draw.normal(size=10) * 0.6
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(10)])
    return _binary("lines", seed, frame, x @ weights)


def _towns(seed: int, rows: int = 10_000) -> Cell:
    """A text of 600 values, each with an effect of its own, and five numbers."""
    draw = np.random.default_rng([seed, 30])
    town = (draw.pareto(0.8, rows) * 20).astype(int) % 600
    effects = draw.normal(size=600)
    x = draw.normal(size=(rows, 5))
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(5)])
    frame["town"] = pd.Series([f"town {t}" for t in town], dtype="str")
    return _binary("towns", seed, frame, effects[town] + 0.8 * x[:, 0] - 0.5 * np.abs(x[:, 1]))


def _waves(seed: int, rows: int = 6_000) -> Cell:
    """A smooth curve of few columns with noise of known size."""
    draw = np.random.default_rng([seed, 40])
    x = draw.uniform(size=(rows, 8))
    truth = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    truth += 10 * x[:, 3] + 5 * x[:, 4]
    noise = draw.normal(size=rows) * 2
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(8)]).assign(**{TARGET: truth + noise})
    cell = _shuffled("waves", seed, "regression", "rmse", frame)
    order = np.random.default_rng(seed).permutation(rows)[:MOST_ROWS]
    judged = np.sort(order[len(order) * 3 // 4 :])
    return Cell(**{**cell.__dict__, "bayes": float(np.sqrt((noise[judged] ** 2).mean()))})


TABLES: dict[str, Load] = {
    "bikes": _bikes,
    "housing": _housing,
    "diamonds": _diamonds,
    "cut": _cut,
    "credit": _credit,
    "chicago": _chicago,
    "elec2": _elec2,
    "penguins": _penguins,
    "taxi": _taxi,
    "zones": _zones,
    "breast_cancer": _shipped("breast_cancer", "binary", "log_loss"),
    "diabetes": _shipped("diabetes", "regression", "rmse"),
    "wine": _shipped("wine", "multiclass", "log_loss"),
    "digits": _shipped("digits", "multiclass", "log_loss"),
    "steps": _steps,
    "lines": _lines,
    "towns": _towns,
    "waves": _waves,
}


def cells(names: list[str], seeds: int) -> Iterator[Cell]:
    """The cells of some tables; those whose files are absent are left out."""
    for name in names:
        for seed in range(seeds):
            cell = TABLES[name](seed)
            if cell is not None:
                yield cell
