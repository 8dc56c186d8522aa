"""The decision page: what woke the run, what its look could spend, every kind of evidence."""

from __future__ import annotations

import json
import re

import pytest

from pipeline_components.contracts.base import digest_of
from pipeline_components.contracts.evidence import (
    Calibration,
    CalibrationBin,
    Disturbed,
    FairnessGap,
    GroupScore,
    SliceScore,
)
from pipeline_components.contracts.gate_spec import FairnessSpec
from pipeline_components.contracts.looks import Cost, Look, LookedAt
from pipeline_components.contracts.planning import Trigger
from pipeline_components.contracts.verdicts import Estimate
from pipeline_components.gate.budget_figure import BASE, TOP, budget_figure
from pipeline_components.gate.decision_report import report_html
from pipeline_components.gate.report_document import report_json

HOSTILE = "<script>alert('x')</script>\u202e"


def look(sequence: int, alpha: float) -> Look:
    span = LookedAt(digest=digest_of(sequence), rows=1000, years=1 / 12, fresh=True)
    return Look(
        run_key=digest_of(f"run {sequence}"), sequence=sequence, spans=(span,),
        refilled=0.004, pool=2 * alpha, alpha=alpha, at="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


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
                    name="airport", rows=300, candidate=about(2.0), baseline=about(1.5),
                    kind="found", where=HOSTILE, gain=about(-0.5), allowed=0.02, p_value=0.001,
                ),
                SliceScore(name="rare", rows=7, candidate=None, baseline=None),
            ),
            "calibration": Calibration(
                candidate=about(0.031, 0.01), baseline=about(0.05, 0.01),
                bins=(CalibrationBin(rows=40, predicted=0.2, observed=0.25),),
            ),
            "fairness": (
                FairnessGap(
                    by="sex", metric="mae", gap=about(0.3),
                    groups=(GroupScore(group=HOSTILE, rows=200, value=1.25),),
                ),
            ),
            "disturbed": (
                Disturbed(
                    what="noise", kind="noise", rows=200, before=2.0, after=2.1, worse=0.1
                ),
                Disturbed(what="distance", rows=200, before=2.0, after=None, worse=None),
            ),
        }
    )  # fmt: skip
    return request.model_copy(
        update={
            "gate": request.gate.model_copy(
                update={"fairness": (FairnessSpec(by="sex", metric="mae", max_gap=0.5),)}
            ),
            "evaluated": evaluated,
            "look": look(3, 0.002),
            "looks_before": (look(1, 0.001), look(2, 0.004)),
            "trigger": Trigger(run_type="manual", reason=HOSTILE, run_id="manual__1"),
            "costs": (
                Cost(result=digest_of("a"), component="prepare", seconds=1.5, cpu_seconds=1.25,
                     peak_mb=210, at="2026-01-01"),
                Cost(result=digest_of("b"), component="train", seconds=20.5, cpu_seconds=30,
                     peak_mb=512),
            ),
        }
    )  # fmt: skip


def shown(request) -> str:
    page = report_html(request, "promote", "Surely better.", [], None, plots=[]).decode()
    assert "<script" not in page
    assert "\u202e" not in page
    return page


def section(page: str, title: str) -> str:
    """The words of one section."""
    found = re.search(rf"<h2>{title}</h2>(.*?)</section>", page, re.S)
    assert found, title
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


def test_every_kind_of_evidence_has_its_section(whole) -> None:
    page = shown(whole)
    assert "a person, in Airflow" in section(page, "Why now")
    assert "Spent 0.002: the chance" in section(page, "Budget of looks")
    assert "Spent in the year 0.007 by 3 looks" in section(page, "Budget of looks")
    slices = section(page, "Slices")
    assert "airport found" in slices
    assert "−0.5000 −0.6000 to −0.4000" in slices
    assert "rare 7 – – too few rows –" in slices
    assert "0.03100 (0.02100 to 0.04100); the baseline" in section(page, "Calibration")
    assert "mae by sex Largest gap: 0.3000" in section(page, "Fairness")
    assert "distance missing 200 2.000 – –" in section(page, "Stability")
    assert "v3, entry 2 of the journal" in section(page, "Models")
    assert "together 22.00 31.25 512.0" in section(page, "Cost")


def test_what_there_is_no_evidence_of_is_said_or_left_out(world) -> None:
    page = shown(world.but(champion_rows=None, alpha=None, disturbed=()).request())
    assert "No look at the holdout is recorded" in section(page, "Budget of looks")
    assert "There was none" in section(page, "Models")
    assert "Nothing is recorded" in section(page, "Cost")
    for title in ("Slices", "Calibration", "Fairness", "Stability"):
        assert f"<h2>{title}</h2>" not in page


def test_an_exhausted_budget_is_told(whole) -> None:
    page = shown(whole.model_copy(update={"look": look(3, 0.0)}))
    assert "nothing: the pool is exhausted" in section(page, "Budget of looks")


def test_the_document_holds_what_the_page_shows_and_no_time(whole) -> None:
    told = json.loads(report_json(whole, "promote", "Surely better.", [], None))
    assert told["format"] == 2
    assert told["trigger"]["run_type"] == "manual"
    assert told["budget"]["look"]["alpha"] == 0.002
    assert [one["sequence"] for one in told["budget"]["looks_before"]] == [1, 2]
    assert [one["component"] for one in told["cost"]] == ["prepare", "train"]
    assert told["slices"][0]["p_value"] == 0.001
    assert told["calibration"]["bins"][0]["observed"] == 0.25
    assert told["fairness"][0]["groups"][0]["rows"] == 200
    assert [one["what"] for one in told["disturbed"]] == ["noise", "distance"]
    assert "2026-01-01" not in json.dumps(told)


def test_bars_are_as_high_as_what_was_spent() -> None:
    drawn = budget_figure([look(1, 0.01), look(2, 0.03)], 0.05)
    heights = [float(height) for height in re.findall(r'<rect [^>]*height="([\d.]+)"', drawn)]
    assert heights == pytest.approx([(BASE - TOP) * 0.2, (BASE - TOP) * 0.8], abs=0.1)
    assert "2 looks in a year have spent 0.04 of 0.05" in drawn
