"""A short run of the gate's simulation: the budget holds, and what it is compared with does not."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from everfit.contracts.clock import iso
from everfit.contracts.messages.evaluations import ChampionDecay
from everfit.contracts.messages.spans import Span
from everfit.contracts.spec.gate import WhenDecayed
from everfit.contracts.spec.margins import Margin, RequiredGain
from everfit.ml.holdout_budget.policy import EvaluatedRun, HoldoutRows, next_evaluation
from everfit.ml.scoring.resampling import Design, resample
from everfit.ml.scoring.scored import Scored
from everfit.steps.evaluate.estimates import compare, estimate

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

import gate_decayed
import gate_drift
import gate_evaluations
import gate_metrics
import gate_naive
import gate_worlds

YEARS = 300
BUDGET = 0.05
WORLDS = {world.name: world for world in gate_worlds.WORLDS}


def most(years: int, rate: float = BUDGET) -> int:
    """More false promotions than this have a chance of one in a thousand at a rate a year."""
    return int(scipy.stats.poisson.ppf(0.999, years * rate))


@pytest.mark.parametrize(
    "name",
    ["equal models", "dependent rows: in time", "dependent rows: entities", "heavy-tailed, skewed"],
)
def test_at_the_edge_the_budget_holds_and_what_is_detectable_is_found(name):
    world = WORLDS[name]
    case = next(case for case in world.cases if case.gain == case.need)
    false, found = gate_evaluations.years_of(world, 5, case, YEARS, seed=1)
    assert false.size == YEARS
    assert false.sum() <= most(YEARS)
    assert found.mean() >= 0.8


def test_students_t_breaks_the_budget_where_losses_are_skewed():
    """The same evaluations, judged by the standard error alone: the simulation can fail."""
    world = WORLDS["heavy-tailed, skewed"]
    every = np.tile(gate_evaluations.alphas(), YEARS)
    rng = np.random.default_rng(1)
    false = 0
    for some in np.array_split(every, YEARS // 20):
        seen = gate_evaluations.judge(world, world.rows(rng, np.zeros(some.size)), some)
        student = scipy.stats.t.ppf(1 - gate_evaluations.published(some[0]), 499)
        false += int((seen.gain > student * seen.error).sum())
    assert false > 2 * most(YEARS)


def test_neighbours_taken_as_independent_break_the_budget():
    world = gate_worlds.World("as if independent", gate_worlds.spells, ())
    every = np.tile(gate_evaluations.alphas(), 20)
    seen = gate_evaluations.judge(world, world.rows(np.random.default_rng(2), every * 0), every)
    assert seen.promoted(0.0).sum() > 20


def test_where_the_truth_moves_no_promotion_is_false_more_often():
    for case in gate_drift.DRIFTING.cases:
        seen = gate_drift.drifting_years(case, 80, seed=1)
        assert seen["false"].sum() <= most(80)
        assert seen["at_risk"].mean() > 2
        assert seen["promoted"].mean() > 2
        assert seen["found_declared"].mean() >= 0.8


def test_simpler_rules_are_wrong_as_often_as_theory_says():
    """By the normal law: half of the evaluations less ties, the share beyond 0.95 points, 5 %."""
    found = {rule: counts.mean() for rule, counts in gate_naive.fresh_holdouts(120, 1).items()}
    spread = np.sqrt(gate_worlds.DISAGREE * gate_worlds.ROWS)
    beyond = scipy.stats.norm.sf
    assert found["any gain"] == pytest.approx(52 * beyond(0.5 / spread), rel=0.03)
    assert found["a gain of 1 percentage point"] == pytest.approx(
        52 * beyond(9.5 / spread), rel=0.1
    )
    assert found["paired test at 5 %"] == pytest.approx(2.6, rel=0.15)
    assert found["the gate"] <= most(120) / 120


def test_evaluations_on_one_holdout_end_with_its_budget():
    spends = gate_evaluations.alphas(days=365.25, fresh=False, years=1)
    assert sum(spends) <= BUDGET
    assert spends[0] > 0
    assert spends[-1] == 0
    counts = gate_naive.one_holdout(80, 1, 365.25, stays=True)
    assert counts["the gate"].sum() <= most(80)
    assert counts["any gain"].mean() > 15


def test_a_year_of_weekly_evaluations_spends_the_budget_and_no_more():
    assert sum(gate_evaluations.alphas()) == pytest.approx(BUDGET, rel=0.01)
    assert sum(gate_evaluations.alphas()) <= BUDGET
    assert sum(gate_evaluations.alphas(years=1)) < sum(gate_evaluations.alphas())


@pytest.mark.parametrize("kind", ["rows", "time blocks", "entities"])
def test_the_simulation_judges_as_evaluate_and_gate_do(kind):
    """The same rows through evaluate's comparison give the same gain and bound."""
    world = next(world for world in gate_worlds.WORLDS if world.kind == kind)
    rng = np.random.default_rng(3)
    (gains,) = world.rows(rng, np.array([0.01]))
    spends = np.array([0.0009])
    seen = gate_evaluations.judge(world, gains[None, :], spends)
    truth = np.zeros(gains.size)
    candidate = Scored.of("regression", truth, 100.0 - gains.astype(np.float64))
    champion = Scored.of("regression", truth, np.full(gains.size, 100.0))
    entity = gate_worlds.ENTITY if kind == "entities" else None
    resampling = resample(Design(gains.size, kind == "time blocks", entity, 0, kind), 0.95)
    found = compare(
        estimate(candidate, resampling, 0.95, "mae"),
        estimate(champion, resampling, 0.95, "mae"),
        resampling,
        metric="mae",
        baseline_name="champion v1",
        confidence=0.95,
        intention="superior_by",
        margin=Margin(value=0.0),
    )
    bound = max((b for b in found.bounds if b.alpha <= spends[0]), key=lambda b: b.alpha)
    assert bound.alpha == gate_evaluations.published(spends[0])
    assert seen.gain[0] == pytest.approx(found.gain.value, rel=1e-6)
    if kind != "rows":  # rows are dealt at random, here in pairs: the same on average
        assert seen.error[0] == pytest.approx(found.error, rel=1e-6)
        assert seen.gain[0] - seen.below[0] == pytest.approx(bound.low, rel=1e-6)
    value = np.array([found.gain.value])
    judged = gate_evaluations.Judged(value, value - bound.low, seen.error)
    for need in (bound.low - 1e-6, bound.low + 1e-6):
        intention = "superior_by" if need > 0 else "not_worse_than"
        met = RequiredGain(intention, abs(need)).outcome(bound.low, bound.high) == "met"
        assert judged.promoted(need)[0] == met


def test_every_law_has_the_mean_it_is_told():
    for world in gate_worlds.WORLDS:
        rng = np.random.default_rng(4)
        rows = world.rows(rng, np.full(1_000, 0.03)).astype(np.float64)
        means = rows.mean(axis=1)
        assert means.mean() == pytest.approx(0.03, abs=5 * scipy.stats.sem(means)), world.name


def test_bounds_of_other_metrics_hold_the_truth():
    """A hundred evaluations at 0.025: more than nine misses have a chance of one in a thousand."""
    for metric in gate_metrics.missed("regression", 500, ("rmse", "r2"), 100, seed=1):
        assert metric.low[0] * 2.5 <= 9
        assert metric.high[0] * 2.5 <= 9
        assert metric.absent == 0


@pytest.mark.parametrize("pipeline", gate_decayed.PIPELINES[2:], ids=lambda one: one.name)
def test_beside_champions_flagged_as_decayed_the_same_budget_holds(pipeline):
    """Flagged by the very rows that are judged, or always; no candidate is better."""
    false = gate_decayed.simulate(gate_decayed.LAWS[0], pipeline, 100, 0.0, seed=1)
    assert false[2].sum() > 0
    assert false[:2].sum() <= most(100)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_simulated_budget_is_the_pipelines_own(share):
    asked = WhenDecayed.model_validate({"not_worse_than": "0%", "share": share})
    gate = gate_evaluations.GATE.model_copy(update={"when_decayed": asked})
    judged, before = np.random.default_rng(3).random((2, 60)) < 0.4
    budget = gate_decayed.Budget(1, share)
    weeks = range(len(judged))
    spent = [float(budget.evaluate(judged[week], before[week])[0]) for week in weeks]
    start, found = datetime(2024, 1, 1, tzinfo=UTC), []
    rows = HoldoutRows(datetime(2030, 1, 1, tzinfo=UTC))
    for week in np.flatnonzero(judged).tolist():
        span = Span(
            name=f"{week}",
            digest=f"{week:064x}",
            rows=1000,
            size=1,
            period_start=iso(start + timedelta(days=7 * week)),
            period_end=iso(start + timedelta(days=7 * week + 7)),
        )
        decay = ChampionDecay(decayed=True, before=bool(before[week]), because="so")
        run = EvaluatedRun(span.digest, "simulated", "y")
        found.append(next_evaluation(run, found, [span], gate, rows, decay=decay))
    assert [one.alpha for one in found] == pytest.approx(
        [spent[week] for week in np.flatnonzero(judged)]
    )
