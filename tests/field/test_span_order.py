"""Files are ordered by their rows, and times that cannot be true move nothing."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

NAMES = ("jan", "feb", "mar", "apr", "may")
SPEC = {
    "task": "regression",
    "target": "y",
    "time": "t",
    "gate": {"metric": "mae", "superior_by": "1%", "baseline": "median"},
}


def month(number, rows=300, ahead=0):
    random = np.random.default_rng(number)
    begin = pd.Timestamp(2024, number, 1)
    seconds = np.sort(random.integers(0, 27 * 86_400, rows))
    frame = pd.DataFrame(
        {"t": begin + pd.to_timedelta(seconds, "s"), "x": random.normal(size=rows)}
    )
    frame["y"] = 3 * frame["x"] + random.normal(size=rows)
    frame.loc[: ahead - 1, "t"] = pd.Timestamp("2095-06-01")
    return frame


def test_months_by_their_names_in_letters_are_ordered_by_their_rows(months):
    """By name it is apr, feb, jan, mar: the newest would be March."""
    checkout = months({name: month(n) for n, name in enumerate(NAMES[:4], 1)}, **SPEC)
    code, told = checkout.everfit("run", "p")
    assert code == 0, told
    assert "SPAN-ORDER" in told and "apr.csv: " in told and "not 'mar.csv'" in told
    assert "LINEAGE-TIME" not in told
    code, told = checkout.everfit("run", "p")
    assert code == 0 and "nothing changed" in told and "judged on apr.csv" in told

    month(5).to_csv(checkout.root / "data" / "may.csv", index=False)
    code, told = checkout.everfit("run", "p")
    assert code == 0 and "may.csv: SPAN-ORDER" in told
    code, told = checkout.everfit("run", "p")
    assert code == 0 and "nothing changed" in told and "judged on may.csv" in told


def test_rows_dated_years_ahead_are_told_and_move_no_order(months):
    tables = {f"{n}": month(n, ahead=3 if n == 2 else 0) for n in range(1, 5)}
    checkout = months(tables, **SPEC)
    code, told = checkout.everfit("run", "p")
    assert code == 0, told
    page = checkout.page("data_report")
    assert "TIME-AHEAD" in page
    assert re.search(r"3 rows of 300 \(1\s%\) are dated years after all others", page)
    assert "SPAN-ORDER" not in told
    code, told = checkout.everfit("run", "p")
    assert "judged on 4.csv" in told
    code, told = checkout.everfit("check", "p")
    assert code == 0, told


def test_files_of_one_time_stay_in_the_order_of_their_names(months):
    """Three files of the same weeks: rows say no order."""
    tables = {}
    for seed, name in enumerate("cab", 10):
        random = np.random.default_rng(seed)
        days = pd.to_timedelta(random.permutation(27), "D")[random.integers(0, 27, 200)]
        x = random.normal(size=200)
        tables[name] = pd.DataFrame(
            {"t": pd.Timestamp(2024, 1, 1) + days, "x": x, "y": 3 * x + random.normal(size=200)}
        )
    code, told = months(tables, **SPEC).everfit("run", "p")
    assert code == 0 and "SPAN-ORDER" not in told, told
