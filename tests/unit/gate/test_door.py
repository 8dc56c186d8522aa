"""The gate at its door: one decision, the same bytes each time, recorded once, shown safely."""

from __future__ import annotations

import json
import logging
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline_components.contracts.base import canonical_json, digest_bytes, digest_of
from pipeline_components.contracts.evidence import SliceScore
from pipeline_components.contracts.steps import Order
from pipeline_components.contracts.verdicts import Estimate
from pipeline_components.gate import door
from pipeline_components.gate import read_evidence as reading
from pipeline_components.gate.evidence import Served
from pipeline_components.gate.registry import CODES, QUESTIONS

HOSTILE = "\"><script>alert('x')</script><img src=x onerror=alert(1)>\u202e"
DOCS = Path(__file__).resolve().parents[3] / "docs" / "checks.md"


@pytest.fixture
def quick(monkeypatch):
    """The clean process is tested on its own."""
    monkeypatch.setattr(
        reading, "try_serving", lambda *a, **k: Served(True, "Predicts the same.", 20)
    )


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    found = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append((tag, dict(attrs)))

    Reader().feed(text)
    return found


def test_the_whole_gate_with_a_real_clean_process(world, context):
    result = door.run(world.request(), context)
    assert result.verdict == "promote"
    assert result.because == next(c.message for c in result.checks if c.code == "GAIN")
    assert {c.code for c in result.checks} == set(CODES)


def test_equal_requests_give_equal_bytes(world, context, quick):
    request = world.request()
    results = [canonical_json(door.run(request, context)) for _ in range(2)]
    assert results[0] == results[1]
    assert str(context.scratch).encode() not in results[0]


def test_the_json_holds_the_whole_decision(world, context, quick):
    result = door.run(world.but(gain=0.05, width=0.06).request(), context)
    told = json.loads(context.store.get(result.report_json.digest))
    assert told["verdict"] == "hold"
    assert told["because"] == result.because
    assert [check["code"] for check in told["checks"]] == [c.code for c in result.checks]
    assert told["comparison"]["margin"] == pytest.approx(0.0205)
    assert told["would_have_flipped_it"] == [
        "About 1,300 more holdout rows at the same effect, or a gain of at least 0.0805 mae "
        "instead of 0.05."
    ]
    assert [span["name"] for span in told["holdout"]] == ["2018-05"]
    assert told["champion"]["version"] == 3
    assert told["lineage"]["run_key"] == digest_of("run")


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "promote"), ({"gain": 0.05}, "hold"), ({"gain": -0.5}, "reject"),
        ({"champion_rows": None, "gain": 4.0}, "promote"), ({"judged": ()}, "promote"),
    ],
)  # fmt: skip
def test_the_page_says_it_first(world, context, quick, changes, verdict):
    result = door.run(world.but(**changes).request(), context)
    page = context.store.get(result.report_html.digest).decode()
    assert result.verdict == verdict
    header = page[page.index("<header>") : page.index("</header>")]
    assert f"</svg>{verdict}</span>" in header
    # what the page says in its header is the sentence of the result
    assert re.sub(r"<[^>]+>", "", header).count(result.because.replace("'", "&#x27;")) == 1
    for code in {check.code for check in result.checks}:
        assert f"<code>{code}</code>" in page


def test_hostile_names_stay_text(world, context, quick):
    plain = world.but(slices=slices("s"), plots=(("residuals.svg", b"<svg/>"),))
    hostile = world.but(
        columns=(HOSTILE, "passengers"),
        window=(HOSTILE, "2018-03", "2018-04"),
        plots=((HOSTILE, b"<svg onload=alert(1)><script>alert(1)</script></svg>"),),
        family=HOSTILE,
        slices=slices(HOSTILE),
    )
    pages = [
        context.store.get(door.run(w.request(), context).report_html.digest).decode()
        for w in (plain, hostile)
    ]
    shown = tags(pages[1])
    assert "<script" not in pages[1] and "\u202e" not in pages[1]
    assert {name for name, _ in shown} == {name for name, _ in tags(pages[0])}
    assert not [a for _, attributes in shown for a in attributes if a.startswith("on")]
    sources = [a["src"] for name, a in shown if name == "img"]
    assert len(sources) == 1 and sources[0].startswith("data:image/svg+xml;base64,")


def slices(name):
    estimate = Estimate(value=2.0, low=1.0, high=3.0, rows=300, method="x")
    return (SliceScore(name=name, rows=300, candidate=estimate, baseline=estimate),)


def test_the_page_draws_the_interval_in_its_place(world, context, quick):
    result = door.run(world.but(alpha=0.01).request(), context)
    page = context.store.get(result.report_html.digest).decode()
    drawn = page[page.index('<svg class="drawn') :]
    # judged at a smaller level than is shown: 0.1 * 2.32635 / 1.95996 to either side
    assert (
        'aria-label="Gain of the candidate in mae: 0.3, interval 0.2 to 0.4; judged by 0.181 to '
        '0.419; required 0.023"' in drawn
    )
    zero, low, inner, value, high = (
        float(re.search(pattern, drawn)[1])
        for pattern in (
            r'<line x1="([\d.]+)" y1="40"',
            r'<path d="M([\d.]+) ',
            r'<line x1="([\d.]+)" [^>]*stroke-width="7"',
            r'<circle cx="([\d.]+)"',
            r"v18M([\d.]+) ",
        )
    )
    assert zero < low < inner < value < high
    assert value - low == pytest.approx(high - value, abs=0.2)
    assert (value - zero) / (inner - zero) == pytest.approx(0.3 / 0.2, abs=0.01)
    assert (value - zero) / (low - zero) == pytest.approx(0.3 / 0.1813, abs=0.01)
    assert "0.181 to 0.419, at the level this look has spent: 1 chance in 100" in page


def order(spec):
    return Order(component="gate", pipeline=spec)


def spec():
    from pipeline_components.contracts.spec import PipelineSpec

    return PipelineSpec(
        name="taxi", task="regression", target="fare", source={"uri": "{data}/*.csv"},
        gate={"superior_by": "1%", "baseline": "median"},
        train={"families": [{"name": "mine", "estimator": "sklearn.linear_model.Ridge"}, "linear"]},
    )  # fmt: skip


def test_the_first_verdict_about_a_run_counts(world, context, quick, caplog):
    request = world.request()
    first = door.run(request, context)
    door.settle(request, first, context, order(spec()))
    with caplog.at_level(logging.WARNING, door.log.name):
        door.settle(request, first, context, order(spec()))
    assert not caplog.records
    other = first.model_copy(update={"verdict": "reject", "because": "Another sentence."})
    with caplog.at_level(logging.WARNING, door.log.name):
        door.settle(request, other, context, order(spec()))
    assert "was decided before: promote" in caplog.text
    kept = context.ledger.verdict(request.run_key)
    assert (kept.verdict, kept.decision) == ("promote", digest_bytes(canonical_json(first)))


def test_what_people_are_told(world, context, quick):
    result = door.run(world.but(gain=0.05).request(), context)
    telling = door.tell(result, context)
    assert telling.summary == {
        "verdict": "hold", "because": result.because, "checks_failed": ["GAIN"],
    }  # fmt: skip
    assert telling.reports == {"decision_report": result.report_html}
    (news,) = telling.news
    assert (news.kind, news.why, news.report) == ("held", result.because, "decision_report")


def test_a_promotion_is_not_news_before_it_is_done(world, context, quick):
    assert door.tell(door.run(world.request(), context), context).news == ()


def test_a_rejection_is_news_until_it_is_on_record(world, context, quick):
    request = world.request()
    result = door.run(request, context).model_copy(update={"verdict": "reject"})
    assert [news.kind for news in door.tell(result, context).news] == ["rejected"]
    assert door.unheard(request, result, context)
    door.settle(request, result, context, order(spec()))
    assert not door.unheard(request, result, context)


class Upstreams:
    """Results by component, as an order would name them."""

    def __init__(self, **results):
        self._results = results

    def one(self, component, kind):
        return self._results[component]

    def champion(self, run_key):
        return self._results["plan"].champion


def upstreams(request, validated_key):
    from pipeline_components.contracts.planning import PlanResult
    from pipeline_components.contracts.requests import (
        ValidateResult,
    )

    key = digest_of("x")
    planned = PlanResult(
        decision="train", because="x", window=(), holdout=(), champion=request.champion,
        code=key, environment=key,
    )  # fmt: skip
    validated = ValidateResult(
        run_key=validated_key, window=request.window, holdout=request.holdout, quarantined=(),
        anomalies=(), statistics={}, report=request.prepared.proof, columns={},
    )  # fmt: skip
    return Upstreams(
        plan=planned, validate=validated, prepare=request.prepared, evaluate=request.evaluated
    )


def test_the_request_is_complete(world, context):
    base = world.but(family="mine").request()
    found = door.request(order(spec()), upstreams(base, base.run_key), context)
    assert (found.run_key, found.metric, found.task) == (base.run_key, "mae", "regression")
    assert (found.window, found.holdout, found.champion) == (
        base.window, base.holdout, base.champion,
    )  # fmt: skip
    assert found.estimators == ("sklearn.linear_model.Ridge",)
    other = world.but(family="linear").request()
    assert door.request(order(spec()), upstreams(other, base.run_key), context).estimators == ()


def test_results_of_two_runs_are_refused(world, context):
    from pipeline_components.contracts.errors import RequestError

    base = world.request()
    with pytest.raises(RequestError, match=r"ORDER-RUN gate: .* must be of one run"):
        door.request(order(spec()), upstreams(base, digest_of("other")), context)


def test_damaged_evidence_holds(world, context, quick):
    request = world.request()
    gone = request.evaluated.losses.model_copy(update={"digest": "0" * 64})
    garbage = context.store.put("losses.parquet", b"PAR1 this is no Parquet PAR1")
    for losses in (gone, garbage):
        evaluated = request.evaluated.model_copy(update={"losses": losses})
        result = door.run(request.model_copy(update={"evaluated": evaluated}), context)
        assert result.verdict == "hold"
        states = {check.code: check.state for check in result.checks}
        assert states["ROWS-SAME"] == states["FINITE"] == states["GAIN"] == "not_assessed"


def test_every_check_is_documented():
    text = DOCS.read_text()
    for question in QUESTIONS:
        assert f"## {question.code}\n" in text
        assert question.title in text
