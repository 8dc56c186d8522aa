"""The decision page: what woke the run, what its evaluation could spend, every kind of evidence."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.contracts.base import digest_of
from everfit.contracts.messages.evaluations import Cost, EvaluatedSpan, HoldoutEvaluation
from everfit.contracts.messages.evidence import (
    Calibration,
    CalibrationBin,
    Disturbed,
    FairnessGap,
    GroupScore,
    SliceScore,
)
from everfit.contracts.messages.planning import Trigger
from everfit.contracts.messages.verdicts import Bound, Comparison, Estimate
from everfit.contracts.spec.gate import FairnessSpec
from everfit.reporting.plot import NARROW, WIDE
from everfit.steps.gate.report.budget_picture import budget_picture
from everfit.steps.gate.report.decision_report import report_html
from everfit.steps.gate.report.gain_picture import gain_picture
from everfit.steps.gate.report.report_document import report_json
from tests.drawings import assert_readable, assert_uncrossed

HOSTILE = "<script>alert('x')</script>\u202e"


def evaluation(sequence: int, alpha: float) -> HoldoutEvaluation:
    span = EvaluatedSpan(digest=digest_of(sequence), rows=1000, years=1 / 12, fresh=True)
    return HoldoutEvaluation(
        run_key=digest_of(f"run {sequence}"),
        pipeline="taxi",
        target="fare",
        sequence=sequence,
        number=sequence,
        spans=(span,),
        refilled=0.004,
        pool=2 * alpha,
        alpha=alpha,
        at="2026-01-01T00:00:00+00:00",
    )


def about(value: float, width: float = 0.1) -> Estimate:
    return Estimate(value=value, low=value - width, high=value + width, rows=300, method="x")


@pytest.fixture
def whole(world):
    """A request with every kind of evidence in it."""
    request = world.request()
    evaluated = request.evaluated.model_copy(
        update={
            "slices": (
                SliceScore(
                    name="airport",
                    rows=300,
                    candidate=about(2.0),
                    baseline=about(1.5),
                    kind="found",
                    where=HOSTILE,
                    gain=about(-0.5),
                    allowed=0.02,
                    p_value=0.001,
                ),
                SliceScore(name="rare", rows=7, candidate=None, baseline=None),
            ),
            "calibration": Calibration(
                candidate=about(0.031, 0.01),
                baseline=about(0.05, 0.01),
                bins=(CalibrationBin(rows=40, predicted=0.2, observed=0.25),),
            ),
            "fairness": (
                FairnessGap(
                    by="sex",
                    metric="mae",
                    gap=about(0.3),
                    groups=(GroupScore(group=HOSTILE, rows=200, value=1.25),),
                ),
            ),
            "disturbed": (
                Disturbed(what="noise", kind="noise", rows=200, before=2.0, after=2.1, worse=0.1),
                Disturbed(what="distance", rows=200, before=2.0, after=None, worse=None),
            ),
        }
    )
    return request.model_copy(
        update={
            "gate": request.gate.model_copy(
                update={"fairness": (FairnessSpec(by="sex", metric="mae", max_gap=0.5),)}
            ),
            "evaluated": evaluated,
            "holdout_evaluation": evaluation(3, 0.002),
            "evaluations_before": (evaluation(1, 0.001), evaluation(2, 0.004)),
            "trigger": Trigger(run_type="manual", reason=HOSTILE, run_id="manual__1"),
            "costs": (
                Cost(
                    result=digest_of("a"),
                    component="prepare",
                    seconds=1.5,
                    cpu_seconds=1.25,
                    peak_mb=210,
                    at="2026-01-01",
                ),
                Cost(
                    result=digest_of("b"),
                    component="train",
                    seconds=20.5,
                    cpu_seconds=30,
                    peak_mb=512,
                ),
            ),
        }
    )


def shown(request) -> str:
    page = report_html(request, "promote", "Surely better.", [], None, plots=[]).decode()
    assert "<script" not in page
    assert "\u202e" not in page
    return page


def section(page: str, title: str) -> str:
    """The words of one section."""
    found = re.search(rf"<h2>{title}</h2>(.*?)</section>", page, re.S)
    assert found, title
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split()).replace("\u2060", "")


def test_every_kind_of_evidence_has_its_section(whole) -> None:
    page = shown(whole)
    assert "a person, in Airflow" in section(page, "Trigger")
    assert "Spent 0.00200: the probability" in section(page, "Evaluation budget")
    assert "Spent in a year 0.00700 of 0.05 false promotions, by 3 holdout evaluations" in section(
        page, "Evaluation budget"
    )
    slices = section(page, "Slices")
    assert "airport found" in slices
    assert "−0.500 −0.600 to −0.400" in slices
    assert "rare 7 – – too few rows – –" in slices
    assert "0.0310 (0.0210 to 0.0410); the baseline" in section(page, "Calibration")
    assert "MAE by sex Largest gap: 0.300" in section(page, "Fairness")
    assert "distance missing 200 2.00 – –" in section(page, "Stability")
    assert "v3, promotion 2" in section(page, "Models")


def test_errors_are_shown_in_the_unit_of_the_target(whole) -> None:
    page = shown(whole.model_copy(update={"unit": "$"}))
    assert "−$0.500 −$0.600 to −$0.400" in section(page, "Slices")
    assert "MAE by sex Largest gap: $0.300 ($0.200 to $0.400); at most $0.5" in section(
        page, "Fairness"
    )
    assert "0.0310 (0.0210 to 0.0410)" in section(page, "Calibration")


def test_the_cost_counts_every_family(whole) -> None:
    """1.25 + 30 + 5,400 CPU seconds are 1.51 CPU hours; 1.5 + 20.5 + 40 seconds are 1 min 2 s."""
    trained = {"linear": digest_of("b"), "extra_trees": digest_of("c")}
    second = whole.costs[1].model_copy(
        update={"result": digest_of("c"), "seconds": 40, "cpu_seconds": 5400}
    )
    page = shown(
        whole.model_copy(
            update={
                "evaluated": whole.evaluated.model_copy(update={"trained": trained}),
                "costs": (*whole.costs, second),
            }
        )
    )
    cost = section(page, "Cost")
    assert "prepare 1.5 s 1.25 CPU s 210 MB" in cost
    assert "train linear 20.5 s 30 CPU s 512 MB" in cost
    assert "train extra_trees 40 s 1.5 CPU hours 512 MB" in cost
    assert "total 1 min 2 s 1.51 CPU hours 512 MB" in cost


def test_what_there_is_no_evidence_of_is_said_or_left_out(world) -> None:
    page = shown(world.but(champion_rows=None, alpha=None, disturbed=()).request())
    assert "No evaluation of the holdout is recorded" in section(page, "Evaluation budget")
    assert "There was none" in section(page, "Models")
    assert "Nothing is recorded" in section(page, "Cost")
    for title in ("Slices", "Calibration", "Fairness", "Stability"):
        assert f"<h2>{title}</h2>" not in page


def test_an_exhausted_budget_is_told(whole) -> None:
    page = shown(whole.model_copy(update={"holdout_evaluation": evaluation(3, 0.0)}))
    assert "nothing: the budget is exhausted" in section(page, "Evaluation budget")


def test_the_document_holds_what_the_page_shows_and_no_time(whole) -> None:
    told = json.loads(report_json(whole, "promote", "Surely better.", [], None))
    assert told["format"] == 2
    assert told["trigger"]["run_type"] == "manual"
    assert told["budget"]["evaluation"]["alpha"] == 0.002
    assert [one["sequence"] for one in told["budget"]["evaluations_before"]] == [1, 2]
    assert [one["component"] for one in told["cost"]] == ["prepare", "train"]
    assert told["slices"][0]["p_value"] == 0.001
    assert told["calibration"]["bins"][0]["observed"] == 0.25
    assert told["fairness"][0]["groups"][0]["rows"] == 200
    assert [one["what"] for one in told["disturbed"]] == ["noise", "distance"]
    assert "2026-01-01" not in json.dumps(told)


def test_the_budget_is_filled_by_what_was_spent() -> None:
    """0.01 and 0.03 of 0.05 on 500 wide: the second begins at 100 and ends at 400."""
    drawn = budget_picture([evaluation(1, 0.01), evaluation(2, 0.03)], 0.05, 500)
    bars = [re.findall(r'<rect x="([\d.]+)" y="8" width="([\d.]+)"', part) for part in drawn.body]
    (_, whole_budget), first, second = (bar[0] for bar in bars if bar)
    assert float(whole_budget) == 500
    assert [float(number) for number in (*first, *second)] == pytest.approx(
        [0, 100, 100, 300], abs=1.1
    )
    assert drawn.label == "2 holdout evaluations in a year: 0.0400 of 0.05 spent"


def test_the_budget_holds_its_labels_whatever_was_spent() -> None:
    """No text begins before the drawing or ends after it, and none overprints another."""
    for spent, limit, width in ((0.0004, 0.05, 340), (0.05, 0.05, 340), (0.3, 0.05, 860)):
        assert_readable(budget_picture([evaluation(1, spent)], limit, width))


@given(
    st.floats(-100, 100),
    st.floats(0.001, 50),
    st.floats(0, 20),
    st.sampled_from(["superior_by", "not_worse_than"]),
    st.sampled_from([None, "$", "min"]),
    st.sampled_from([NARROW, WIDE]),
)
@settings(max_examples=60, deadline=None)
def test_no_label_of_the_comparison_is_cut_or_overprinted(
    gain, half, margin, intention, unit, width
) -> None:
    found = Comparison(
        metric="mae",
        baseline="champion v3",
        candidate_score=5.0,
        baseline_score=5.0 + gain,
        gain=Estimate(value=gain, low=gain - half, high=gain + half, rows=300, method="x"),
        margin=margin,
        intention=intention,
    )
    judged = Bound(alpha=0.001, low=gain - 2 * half, high=gain + 2 * half)
    for bound in (None, judged):
        drawing = gain_picture(found, "good", unit, width, bound)
        assert_readable(drawing)
        assert_uncrossed(drawing)
