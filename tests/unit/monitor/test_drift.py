"""Planted truth: what is shifted fires, what is not does not, at any size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

from everfit.contracts.base import digest_of
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.evidence import ImportanceGroup
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.spec.monitor import MonitorSpec
from everfit.ml.profiles.span_statistics import profile_table
from everfit.steps.monitor.drift import measure_against, measure_drift
from everfit.steps.monitor.evaluate_span import dependence
from everfit.steps.monitor.reference import prepare_reference

SPEC = MonitorSpec()
NUMBERS = [f"n{i}" for i in range(6)]
COLUMNS = [*NUMBERS, "heavy", "whole", "flag", "few", "text", "keys", "fixed", "gaps", "when"]


class Moves(NamedTuple):
    """How a span differs from the others."""

    shift: float = 0.0
    of: str = "n0"
    luck: float = 0.0


def frame(seed: int, rows: int, moves: Moves = Moves()) -> pd.DataFrame:  # noqa: B008
    rng = np.random.default_rng([7, seed])
    by = {name: moves.luck * rng.normal() for name in COLUMNS}
    by[moves.of] += moves.shift
    mix = np.array([0.4, 0.3, 0.2, 0.1]) * np.exp(by["text"] * np.array([1, 0, -1, -2]))
    table = {name: rng.normal(size=rows) + by[name] for name in NUMBERS}
    table["heavy"] = rng.standard_cauchy(rows) + by["heavy"]
    table["whole"] = rng.poisson(np.exp(2 + by["whole"] / 3), rows)
    table["flag"] = rng.random(rows) < 0.3 + by["flag"] / 4
    table["few"] = rng.choice([0.0, 0.5, 1.0], rows)
    table["text"] = rng.choice(list("abcd"), rows, p=mix / mix.sum())
    table["keys"] = rng.choice(2_000, rows).astype(str)
    table["fixed"] = np.full(rows, 2.5)
    table["gaps"] = np.where(rng.random(rows) < 0.05 + abs(by["gaps"]), np.nan, rng.random(rows))
    start = pd.Timestamp("2024-01-01") + pd.Timedelta(days=seed)
    table["when"] = start + pd.to_timedelta(rng.random(rows), unit="D")
    return pd.DataFrame(table)


def span(seed: int, rows: int = 2_000, moves: Moves = Moves()):  # noqa: B008
    arrow = pa.Table.from_pandas(frame(seed, rows, moves), preserve_index=False)
    return profile_table(arrow, digest_of(["span", seed, rows, *map(str, moves)]))


def drifted(drift):
    return [column.name for column in drift.columns if column.drifted]


@pytest.fixture(scope="module")
def past():
    return [span(seed) for seed in range(10)]


def against(past, current):
    return measure_drift(past[-4:-1], current, past, SPEC, COLUMNS, {})


@pytest.mark.parametrize(
    ("column", "shift"),
    [
        ("n0", 0.25),
        ("n3", -0.25),
        ("heavy", 1.5),
        ("whole", 0.4),
        ("flag", 0.6),
        ("text", 0.4),
        ("gaps", 0.1),
    ],
)
def test_a_shifted_column_fires_and_no_other(past, column, shift):
    drift = against(past, span(50, 2_000, Moves(shift, column)))
    assert (drift.state, drift.checks) == ("measured", ())
    assert drifted(drift) == [column]
    first = drift.columns[0]
    assert first.name == column
    assert first.score >= 0.1
    assert first.adjusted < 0.05
    assert first.p_value <= first.adjusted
    assert first.message


def test_an_unchanged_span_and_a_copy_of_an_old_one_do_not(past):
    assert drifted(against(past, span(60))) == []
    for old in past:
        assert drifted(against(past, old)) == []


def test_every_column_is_compared_but_moments_in_time(past):
    drift = against(past, span(61))
    assert {c.name for c in drift.columns} == set(COLUMNS) - {"when"}
    kinds = {c.name: c.kind for c in drift.columns}
    assert kinds["n0"] == kinds["whole"] == "number"
    assert kinds["text"] == kinds["few"] == kinds["flag"] == "category"


def test_a_new_flat_fee_and_a_point_mass_fire(past):
    table = frame(62, 2_000)
    table["fixed"] = 2.75
    table.loc[table.index[:600], "n0"] = 2.5
    current = profile_table(pa.Table.from_pandas(table, preserve_index=False), digest_of(["fee"]))
    assert sorted(drifted(against(past, current))) == ["fixed", "n0"]


def test_the_score_is_evidentlys_where_there_are_many_rows(past):
    current = frame(63, 2_000, Moves(0.25))
    arrow = pa.Table.from_pandas(current, preserve_index=False)
    found = against(past, profile_table(arrow, digest_of(["many"])))
    scores = {c.name: c.score for c in found.columns}
    old = pd.concat([frame(seed, 2_000) for seed in (6, 7, 8)])
    expected = stats.wasserstein_distance(old["n0"], current["n0"]) / old["n0"].std(ddof=0)
    assert scores["n0"] == pytest.approx(expected, rel=0.02)


def test_values_outside_the_trained_range_are_counted_and_told(past):
    table = frame(65, 2_000)
    table.loc[table.index[:300], "n0"] = 50.0
    table.loc[table.index[:100], "text"] = "unheard of"
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    found = against(past, profile_table(arrow, digest_of(["far"])))
    columns = {column.name: column for column in found.columns}
    assert columns["n0"].outside == pytest.approx(0.15, abs=0.002)
    assert columns["text"].outside == pytest.approx(0.05)
    assert columns["n1"].outside == pytest.approx(0, abs=0.002)
    assert "15 % of the values lie outside the range it was trained on" in columns["n0"].message
    assert "outside the categories it was trained on" in columns["text"].message
    assert "trained on" not in columns["n1"].message


def test_importance_and_the_level_are_taken_over(past):
    current = span(64, 2_000, Moves(0.25))
    found = measure_drift(past[-4:-1], current, past, SPEC, ["n0", "n1"], {"n0": 0.7})
    assert {c.name: c.depends for c in found.columns} == {"n0": 0.7, "n1": None}
    blunt = MonitorSpec(effect=0.9)
    assert drifted(measure_drift(past[-4:-1], current, past, blunt, COLUMNS, {})) == []


def test_many_spans_against_one_prepared_reference(past):
    prepared = prepare_reference(past[-4:-1], past, COLUMNS)
    later = [span(70 + k, 2_000, Moves(0.3 * (k > 1))) for k in range(4)]
    for index, current in enumerate(later):
        one = measure_drift(past[-4:-1], current, [*past, *later[:index]], SPEC, COLUMNS, {})
        assert measure_against(prepared, current, SPEC, {}) == one
        assert drifted(one) == (["n0"] if index > 1 else [])
        prepared = prepared.and_then(current)


def test_nothing_is_assessed_where_there_is_no_past(past):
    current = span(80, 2_000, Moves(0.25))
    found = measure_drift(past[:2], current, past[:2], SPEC, COLUMNS, {})
    assert found.dispersion.startswith("Not assessed: 2 spans are known, and 3 are needed")
    assert drifted(found) == []
    assert not any(column.assessed or column.significant for column in found.columns)
    assert found.columns[0].score > 0.1
    assert "comparisons among the 10 spans" in against(past, current).dispersion
    assert drifted(measure_drift(past[:2], current, past[:4], SPEC, COLUMNS, {})) == ["n0"]


def test_spans_that_differ_anyway_do_not_fire_and_a_larger_shift_does():
    past = [span(seed, 2_000, Moves(luck=0.15)) for seed in range(14)]
    naive = quiet = 0
    for seed in range(100, 110):
        found = against(past, span(seed, 2_000, Moves(luck=0.15)))
        naive += any(c.score >= SPEC.effect for c in found.columns)
        quiet += not drifted(found)
    # At a level of 5 % four or more of ten alarm in 0.1 % of all cases.
    assert stats.binom.sf(3, 10, 0.05) < 0.0011
    assert naive == 10
    assert quiet >= 7
    assert drifted(against(past, span(120, 2_000, Moves(3.0, luck=0.15)))) == ["n0"]


def test_a_season_does_not_fire_once_it_is_in_the_past():
    wave = 0.4 * np.sin(2 * np.pi * np.arange(36) / 12)
    spans = [span(seed, 1_000, Moves(shift)) for seed, shift in enumerate(wave)]
    alarms = 0
    for now in range(18, 36):
        found = measure_drift(spans[now - 4 : now - 1], spans[now], spans[:now], SPEC, COLUMNS, {})
        alarms += bool(drifted(found))
        scores = {c.name: c.score for c in found.columns}
        if now % 6 == 0:
            assert scores["n0"] > 0.15
    assert stats.binom.sf(4, 18, 0.05) < 0.002
    assert alarms <= 4


@pytest.mark.parametrize("luck", [0.0, 0.02])
def test_a_slow_drift_fires_before_eight_spans_and_stays(luck):
    # 0.03 standard deviations a span: 0.15 after five, 0.24 after eight.
    climb = [0.0] * 14 + [0.03 * k for k in range(1, 13)]
    spans = [span(seed, 5_000, Moves(shift, luck=luck)) for seed, shift in enumerate(climb)]
    fired = [
        "n0" in drifted(measure_drift(spans[10:13], spans[t], spans[:t], SPEC, COLUMNS, {}))
        for t in range(14, 26)
    ]
    assert not any(fired[:2])
    assert all(fired[7:])


def test_a_shift_that_stays_goes_on_firing_and_so_does_one_after_an_older_one():
    steps = [0.6] * 7 + [0.0] * 9 + [-0.4] * 6
    spans = [span(seed, 2_000, Moves(shift)) for seed, shift in enumerate(steps)]
    for now in range(14, 22):
        found = measure_drift(spans[10:14], spans[now], spans[:now], SPEC, COLUMNS, {})
        assert drifted(found) == (["n0"] if now >= 16 else [])


@pytest.mark.parametrize("rows", [100, 1_000])
def test_no_more_alarms_than_the_level_without_drift(rows):
    spans = [span(1_000 + seed, rows) for seed in range(56)]
    alarms = sum(
        bool(
            drifted(measure_drift(spans[t - 3 : t], spans[t], spans[t - 6 : t], SPEC, COLUMNS, {}))
        )
        for t in range(6, 56)
    )
    # More than this of 50 windows is a chance of one in a million at a level of 5 %.
    assert alarms <= stats.binom.isf(1e-6, 50, 0.05)


def test_columns_that_were_only_shuffled_together_have_the_importance_of_all():
    model = Artifact(name="model.skops", digest="a" * 64, size=1)
    champion = ChampionRef(
        version=1,
        run_key="b" * 64,
        model=model,
        train=model,
        features=("x", "y", "z", "idle"),
        window=("c" * 64,),
        sequence=1,
        importances={"x": 3.0},
        importance_groups=(
            ImportanceGroup(columns=("y", "z"), importance=1.0, kind="rest"),
            ImportanceGroup(columns=("idle",), importance=-0.5, kind="rest"),
        ),
    )
    shares = dependence(champion, ["x", "y", "z", "idle", "unread"])
    assert shares == {"x": 0.75, "y": 0.25, "z": 0.25, "idle": 0.0, "unread": 0.0}
