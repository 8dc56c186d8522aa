"""A seeded generator of monthly taxi trips in the columns of New York's yellow-taxi records.

The trips are invented, the columns and quirks are the public ones: metered fares by distance and
waiting time, a flat fare to the airport, a night and a rush-hour extra, tips on cards only, a
congestion surcharge that begins in February 2019, and a few refunds with negative fares.
"""

from __future__ import annotations

import calendar
from datetime import datetime, timedelta

import numpy as np

COLUMNS = (
    "vendor_id",
    "pickup_datetime",
    "dropoff_datetime",
    "passenger_count",
    "trip_distance",
    "rate_code_id",
    "store_and_fwd_flag",
    "pickup_location_id",
    "dropoff_location_id",
    "payment_type",
    "fare_amount",
    "extra",
    "mta_tax",
    "tip_amount",
    "tolls_amount",
    "improvement_surcharge",
    "total_amount",
    "congestion_surcharge",
)

FIRST = (2018, 1)
"""Year and month of the first span."""
AIRPORT = 132
ZONES = 263


def month_of(index: int) -> tuple[int, int]:
    """Year and month of the span number ``index``, counted from 0."""
    months = FIRST[1] - 1 + index
    return FIRST[0] + months // 12, months % 12 + 1


def month_csv(year: int, month: int, rows: int, seed: int) -> str:
    """One month of trips as CSV text.

    Parameters
    ----------
    year, month : int
        Calendar month the trips begin in.
    rows : int
        Trips.
    seed : int
        With year and month, decides every value.
    """
    random = np.random.default_rng((seed, year, month))
    seconds = _pickup_seconds(random, year, month, rows)
    hour = (seconds // 3600) % 24
    weekday = (seconds // 86_400 + datetime(year, month, 1).weekday()) % 7
    airport = random.random(rows) < 0.03
    busy = (weekday < 5) & (hour >= 7) & (hour <= 19)
    miles = np.where(
        airport, random.normal(17.5, 1.5, rows).clip(12, 24), random.lognormal(0.55, 0.75, rows)
    )
    mph = random.normal(np.where(busy, 9.5, 14.5), 2.5).clip(4, 30) + np.where(airport, 9, 0)
    minutes = (miles / mph * 60 + random.exponential(1.2, rows)).clip(0.5, 170)
    crawling = minutes * np.where(busy, 0.24, 0.10)
    metered = 2.5 + 2.5 * (miles - 0.1).clip(0) * 0.92 + 0.5 * crawling
    fare = np.where(airport, 52.0, np.round(metered * 2) / 2 + random.choice([0, 0.5], rows))
    refund = random.random(rows) < 0.0006
    fare = np.where(refund, -fare, fare)
    card = random.random(rows) < 0.70
    extra = np.where(busy & (hour >= 16), 1.0, np.where((hour >= 20) | (hour < 6), 0.5, 0.0))
    tolls = np.where(airport & (random.random(rows) < 0.6), 5.76, 0.0)
    tip = np.where(card & ~refund, np.round(fare * random.normal(0.2, 0.07, rows).clip(0), 2), 0)
    surcharge = np.where(random.random(rows) < 0.93, 2.5, 0.0)
    charged = (year, month) >= (2019, 2)
    total = fare + extra + 0.5 + tip + tolls + 0.3 + (surcharge if charged else 0.0)
    text = {
        "vendor_id": random.choice([1, 2], rows, p=[0.4, 0.6]),
        "pickup_datetime": _stamps(year, month, seconds),
        "dropoff_datetime": _stamps(year, month, seconds + np.round(minutes * 60).astype(int)),
        "passenger_count": random.choice(7, rows, p=[0.01, 0.71, 0.14, 0.04, 0.02, 0.05, 0.03]),
        "trip_distance": [f"{value:.2f}" for value in miles],
        "rate_code_id": np.where(airport, 2, 1),
        "store_and_fwd_flag": np.where(random.random(rows) < 0.005, "Y", "N"),
        "pickup_location_id": np.where(
            airport & (random.random(rows) < 0.5), AIRPORT, random.integers(1, ZONES + 1, rows)
        ),
        "dropoff_location_id": np.where(airport, AIRPORT, random.integers(1, ZONES + 1, rows)),
        "payment_type": np.where(card, 1, 2),
        "fare_amount": fare,
        "extra": extra,
        "mta_tax": np.full(rows, 0.5),
        "tip_amount": tip,
        "tolls_amount": tolls,
        "improvement_surcharge": np.full(rows, 0.3),
        "total_amount": [f"{value:.2f}" for value in total],
        "congestion_surcharge": surcharge if charged else [""] * rows,
    }
    lines = [",".join(COLUMNS)]
    lines += [",".join(map(str, row)) for row in zip(*(text[c] for c in COLUMNS), strict=True)]
    return "\n".join(lines) + "\n"


def _pickup_seconds(
    random: np.random.Generator, year: int, month: int, rows: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Seconds since the month began, busier by day than by night. Shape (rows,)."""
    days = random.integers(0, calendar.monthrange(year, month)[1], rows)
    weights = np.array([3, 2, 1, 1, 1, 1, 3, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 7, 8, 8, 7, 7, 6, 5.0])
    hours = random.choice(24, rows, p=weights / weights.sum())
    found: np.ndarray[tuple[int], np.dtype[np.int64]] = (
        days * 86_400 + hours * 3_600 + random.integers(0, 3_600, rows)
    )
    return found


def _stamps(
    year: int, month: int, seconds: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> list[str]:
    start = datetime(year, month, 1)
    return [(start + timedelta(seconds=int(s))).isoformat(sep=" ") for s in seconds]
