"""Every way in which a span is broken is told, in a sentence, and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from everfit.contracts.base import digest_of
from everfit.contracts.spec.monitor import MonitorSpec
from everfit.ml.profiles.span_statistics import profile_table
from everfit.steps.monitor import hard_checks
from everfit.steps.monitor.drift import measure_against, measure_drift
from everfit.steps.monitor.reference import prepare_reference

COLUMNS = ["price", "count", "city", "empty", "fee"]


def table(seed: int, rows: int = 2_000) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "price": rng.lognormal(2, 0.5, rows),
            "count": rng.poisson(5, rows),
            "city": rng.choice(["Rome", "Oslo", "Bern"], rows),
            "empty": np.full(rows, None, dtype=object),
            "fee": np.full(rows, 2.5),
        }
    )


def profiled(frame: pd.DataFrame, name: object):
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    return profile_table(arrow, digest_of(["span", str(name)]))


@pytest.fixture(scope="module")
def past():
    return [profiled(table(seed), seed) for seed in range(4)]


def measured(past, frame):
    return measure_drift(past[1:], profiled(frame, "now"), past, MonitorSpec(), COLUMNS, {})


def told(drift):
    return {(check.code, check.column, check.severity) for check in drift.checks}


def test_a_sound_span_passes(past):
    drift = measured(past, table(9))
    assert (drift.state, drift.checks) == ("measured", ())
    assert not any(column.drifted for column in drift.columns)


def missing_column(frame):
    return frame.drop(columns="price")


def infinities(frame):
    frame.loc[frame.index[::20], "price"] = np.inf
    return frame


def cents(frame):
    frame["price"] *= 1000
    return frame


def empty_column(frame):
    return frame.assign(price=np.full(len(frame), np.nan)).astype({"price": "float64"})


def texts(frame):
    return frame.assign(price=frame["price"].map("{:.2f} EUR".format))


def renamed(frame):
    return frame.assign(city=frame["city"].str.upper())


def far_away(frame):
    return frame.assign(count=frame["count"] + 10_000 * (np.arange(len(frame)) % 10 != 0))


@pytest.mark.parametrize(
    ("spoil", "code", "column"),
    [
        (missing_column, "DRIFT-MISSING-COLUMN", "price"),
        (infinities, "DRIFT-INFINITE", "price"),
        (cents, "DRIFT-UNIT", "price"),
        (empty_column, "DRIFT-ALL-MISSING", "price"),
        (texts, "DRIFT-TYPE", "price"),
        (renamed, "DRIFT-UNSEEN", "city"),
        (far_away, "DRIFT-DOMAIN", "count"),
    ],
)
def test_what_breaks_a_span(past, spoil, code, column):
    drift = measured(past, spoil(table(9)))
    assert drift.state == "broken"
    assert told(drift) == {(code, column, "error")}
    assert repr(column) in drift.checks[0].message
    assert column not in {c.name for c in drift.columns}
    assert {"fee"} <= {c.name for c in drift.columns} | {column}


def test_no_rows_and_few_rows(past):
    none = measured(past, table(9).iloc[:0].astype({"price": float}))
    assert (none.state, told(none)) == ("broken", {("DRIFT-EMPTY", None, "error")})
    for rows in (1, 99):
        few = measured(past, table(9, rows))
        assert few.state == "too_small"
        assert told(few) == {("DRIFT-FEW-ROWS", None, "warning")}
        assert few.columns == ()


def test_warnings_do_not_break(past):
    frame = table(9).assign(extra=1)
    frame.loc[frame.index[:1], "price"] = np.inf
    frame.loc[frame.index[:60], "city"] = "Lima"
    frame.loc[frame.index[:40], "count"] = 10_000
    drift = measured(past, frame)
    assert drift.state == "measured"
    assert told(drift) == {
        ("DRIFT-NEW-COLUMN", "extra", "warning"),
        ("DRIFT-INFINITE", "price", "warning"),
        ("DRIFT-UNSEEN", "city", "warning"),
        ("DRIFT-DOMAIN", "count", "warning"),
    }
    assert {c.name for c in drift.columns} >= {"price", "city", "count"}


def test_values_that_are_not_a_number_are_told(past):
    frame = table(9)
    prices = frame["price"].to_numpy().copy()
    prices[:200] = np.nan
    arrow = pa.Table.from_pandas(frame.drop(columns="price"), preserve_index=False)
    arrow = arrow.append_column("price", pa.array(prices, from_pandas=False))
    current = profile_table(arrow, digest_of(["nan"]))
    drift = measure_drift(past[1:], current, past, MonitorSpec(), COLUMNS, {})
    assert told(drift) == {("DRIFT-NAN", "price", "warning")}
    (price,) = [c for c in drift.columns if c.name == "price"]
    assert price.kind == "missing"
    assert price.drifted


def test_a_column_that_fills_is_drift_of_missing_values(past):
    drift = measured(past, table(9).assign(empty=2.5, fee=2.75))
    assert (drift.state, drift.checks) == ("measured", ())
    drifted = {c.name: c for c in drift.columns if c.drifted}
    assert set(drifted) == {"empty", "fee"}
    assert drifted["empty"].kind == "missing"
    assert "2.5 is the most frequent value" in drifted["empty"].message


def numbered(start, seed):
    frame = table(seed)
    return frame.assign(count=np.arange(len(frame)) + start)


def test_what_the_past_did_is_no_error():
    # A running number leaves all earlier bounds, and so it did before.
    past = [profiled(numbered(100_000 * k, k), ("n", k)) for k in range(5)]
    drift = measure_drift(
        past[2:], profiled(numbered(500_000, 9), "n"), past, MonitorSpec(), COLUMNS, {}
    )
    assert drift.state == "measured"
    assert "DRIFT-DOMAIN" not in {check.code for check in drift.checks}


@pytest.mark.parametrize("spoil", [missing_column, cents, empty_column, texts, infinities])
def test_what_the_champion_does_not_read_breaks_nothing(past, spoil):
    prepared = prepare_reference(past[1:], past, COLUMNS)
    current = profiled(spoil(table(9)), "now")
    unread = measure_against(prepared, current, MonitorSpec(), {}, {"count", "city"})
    assert unread.state == "measured"
    assert {(check.column, check.severity) for check in unread.checks} == {("price", "warning")}
    assert "the champion does not read it" in unread.checks[0].message
    assert "price" not in {column.name for column in unread.columns}
    read = measure_against(prepared, current, MonitorSpec(), {}, {"price"})
    assert read.state == "broken"


def test_a_running_number_far_from_a_short_past_has_no_bounds():
    # The spans of the champion lie side by side; the current one came much later.
    past = [profiled(numbered(2_000 * k, k), ("run", k)) for k in range(2)]
    for start, broken in ((50_000, False), (-50_000, True)):
        drift = measure_drift(
            past, profiled(numbered(start, 9), start), past, MonitorSpec(), COLUMNS, {}
        )
        assert (drift.state == "broken") == broken


def of_categories(seed, rows, names):
    return profiled(pd.DataFrame({"city": np.random.default_rng(seed).choice(names, rows)}), seed)


@pytest.mark.parametrize("spans", [1, 3])
@pytest.mark.parametrize("rows", [100, 400])
def test_values_that_chance_left_unseen_are_not_new_ones(spans, rows):
    names = [f"c{i}" for i in range(400)]
    for seed in range(20):
        past = [of_categories(10 * seed + k, rows, names) for k in range(spans)]
        now = of_categories(10 * seed + 9, rows, names)
        drift = measure_drift(past, now, past, MonitorSpec(), ["city"], {})
        assert (drift.state, drift.checks) == ("measured", ())


def test_new_names_are_told_though_chance_had_left_some_unseen():
    names = [f"c{i}" for i in range(200)]
    past = [of_categories(k, 400, names) for k in range(3)]
    now = of_categories(9, 400, [name.upper() for name in names])
    drift = measure_drift(past, now, past, MonitorSpec(), ["city"], {})
    assert (drift.state, told(drift)) == ("broken", {("DRIFT-UNSEEN", "city", "error")})


def test_every_code_is_documented():
    code = Path(hard_checks.__file__).read_text()
    page = (Path(__file__).parents[3] / "docs" / "explanation" / "drift.md").read_text()
    codes = set(re.findall(r"\"(DRIFT-[A-Z-]+)\"", code))
    assert len(codes) == 11
    assert [name for name in sorted(codes) if f"| `{name}` |" not in page] == []
