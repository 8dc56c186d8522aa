"""The gate as a step: one decision, the same bytes each time, recorded once, shown safely."""

from __future__ import annotations

import html
import json
import logging
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from everfit.contracts.base import canonical_json, digest_bytes, digest_of
from everfit.contracts.messages.evidence import SliceScore
from everfit.contracts.messages.steps import Order
from everfit.contracts.messages.summaries import GateSummary
from everfit.contracts.messages.verdicts import Estimate
from everfit.steps.gate.evidence import read_evidence as reading
from everfit.steps.gate.evidence.evidence import Served
from everfit.steps.gate.find_checks import built_in_checks
from everfit.steps.gate.step import Gate

HOSTILE = "\"><script>alert('x')</script><img src=x onerror=alert(1)>\u202e"
DOCS = Path(__file__).resolve().parents[3] / "docs" / "reference" / "checks.md"


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
    result = Gate().run(world.request(), context)
    assert result.verdict == "promote"
    assert result.because == next(c.message for c in result.checks if c.code == "GAIN")
    assert {c.code for c in result.checks} == {one.code for one in built_in_checks()}


def test_equal_requests_give_equal_bytes(world, context, quick):
    request = world.request()
    results = [canonical_json(Gate().run(request, context)) for _ in range(2)]
    assert results[0] == results[1]
    assert str(context.scratch).encode() not in results[0]


def test_the_json_holds_the_whole_decision(world, context, quick):
    result = Gate().run(world.but(gain=0.05, width=0.06).request(), context)
    told = json.loads(context.store.get(result.report_json.digest))
    assert told["verdict"] == "hold"
    assert told["because"] == result.because
    assert [check["code"] for check in told["checks"]] == [c.code for c in result.checks]
    assert told["comparison"]["margin"] == pytest.approx(0.0205)
    assert told["would_have_flipped_it"] == [
        "About 1,300 more holdout rows with the same gain, or a gain of at least 0.0805 instead of "
        "0.0500."
    ]
    assert [span["name"] for span in told["holdout"]] == ["2018-05"]
    assert told["champion"]["version"] == 3
    assert told["lineage"]["run_key"] == digest_of("run")


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "promote"),
        ({"gain": 0.05}, "hold"),
        ({"gain": -0.5}, "reject"),
        ({"champion_rows": None, "gain": 4.0}, "promote"),
        ({"judged": ()}, "promote"),
    ],
)
def test_the_page_says_it_first(world, context, quick, changes, verdict):
    result = Gate().run(world.but(**changes).request(), context)
    page = context.store.get(result.report_html.digest).decode()
    assert result.verdict == verdict
    header = page[page.index("<header>") : page.index("</header>")]
    assert f"</svg>{verdict}</span>" in header
    # what the page says in its header is the sentence of the result
    said = html.unescape(re.sub(r"<[^>]+>", "", header)).replace("\xa0", " ")
    assert said.count(result.because) == 1
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
        context.store.get(Gate().run(w.request(), context).report_html.digest).decode()
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
    result = Gate().run(world.but(alpha=0.01).request(), context)
    page = context.store.get(result.report_html.digest).decode()
    drawn = page[page.index('class="only-wide"') :]
    # judged at a smaller level than is shown: 0.1 * 2.32635 / 1.95996 to either side
    assert (
        'aria-label="Gain in MAE: +0.300, interval 0.200 to 0.400; decided by 0.181 to 0.419; '
        'required: 0.023 better"' in drawn
    )
    low, zero, _, inner, end, value, high = (
        float(re.search(pattern, drawn)[1])
        for pattern in (
            r'<line x1="([\d.]+)" [^>]*stroke="var\(--good\)" stroke-width="2"/>',
            r'<line x1="([\d.]+)" y1="26" [^>]*stroke-width="1.2"/>',
            r'<line x1="([\d.]+)" y1="20" [^>]*stroke-dasharray="5 4"/>',
            r'<line x1="([\d.]+)" [^>]*stroke-width="7"',
            r'<line x1="[\d.]+" y1="[\d.]+" x2="([\d.]+)" [^>]*stroke-width="7"',
            r'<circle cx="([\d.]+)"',
            r'<line x1="[\d.]+" y1="66" x2="([\d.]+)" y2="66" [^>]* stroke-width="2"',
        )
    )
    assert zero < low < inner < value < end < high
    assert value - low == pytest.approx(high - value, abs=0.2)
    assert (value - zero) / (inner - zero) == pytest.approx(0.3 / 0.2, abs=0.01)
    assert (value - zero) / (low - zero) == pytest.approx(0.3 / 0.1813, abs=0.01)
    assert "0.181 to 0.419 (thin), with 99\xa0% one-sided confidence: the level this" in page


def order(spec):
    return Order(component="gate", pipeline=spec)


def spec():
    from everfit.contracts.spec.pipeline import PipelineSpec

    return PipelineSpec(
        name="taxi",
        task="regression",
        target="fare",
        source={"uri": "{data}/*.csv"},
        gate={"superior_by": "1%", "baseline": "median"},
        train={"families": [{"name": "mine", "estimator": "sklearn.linear_model.Ridge"}, "linear"]},
    )


def test_the_first_verdict_about_a_run_counts(world, context, quick, caplog):
    request = world.request()
    first = Gate().run(request, context)
    Gate().record(request, first, context, order(spec()))
    with caplog.at_level(logging.WARNING, "everfit.steps.gate.step"):
        Gate().record(request, first, context, order(spec()))
    assert not caplog.records
    other = first.model_copy(update={"verdict": "reject", "because": "Another sentence."})
    with caplog.at_level(logging.WARNING, "everfit.steps.gate.step"):
        Gate().record(request, other, context, order(spec()))
    assert "was decided before: promote" in caplog.text
    kept = context.ledger.verdict(request.run_key)
    assert (kept.verdict, kept.decision) == ("promote", digest_bytes(canonical_json(first)))


def test_what_people_are_told(world, context, quick):
    result = Gate().run(world.but(gain=0.05).request(), context)
    report = Gate().report(result, context)
    assert report.summary == GateSummary(
        verdict="hold", because=result.because, checks_failed=("GAIN",)
    )
    assert report.reports == {"decision_report": result.report_html}
    (news,) = report.news
    assert (news.kind, news.why, news.report) == ("held", result.because, "decision_report")


def test_a_promotion_is_not_news_before_it_is_done(world, context, quick):
    assert Gate().report(Gate().run(world.request(), context), context).news == ()


def test_a_rejection_is_news_until_it_is_on_record(world, context, quick):
    request = world.request()
    result = Gate().run(request, context).model_copy(update={"verdict": "reject"})
    assert [news.kind for news in Gate().report(result, context).news] == ["rejected"]
    assert Gate().is_news(request, result, context, True)
    Gate().record(request, result, context, order(spec()))
    assert not Gate().is_news(request, result, context, False)


class Upstreams:
    """Results by component, as an order would name them."""

    recorded = True

    def __init__(self, **results):
        self._results = results

    def one(self, component, kind):
        return self._results[component]

    def champion(self, run_key):
        return self._results["plan"].champion


def upstreams(request, validated_key):
    from everfit.contracts.messages.planning import PlanResult
    from everfit.contracts.messages.requests import ValidateResult

    key = digest_of("x")
    planned = PlanResult(
        decision="train",
        because="x",
        window=(),
        holdout=(),
        champion=request.champion,
        code=key,
        environment=key,
    )
    validated = ValidateResult(
        run_key=validated_key,
        window=request.window,
        holdout=request.holdout,
        quarantined=(),
        anomalies=(),
        statistics={},
        report=request.prepared.proof,
        columns={},
    )
    return Upstreams(
        plan=planned, validate=validated, prepare=request.prepared, evaluate=request.evaluated
    )


def test_the_request_is_complete(world, context):
    base = world.but(family="mine").request()
    found = Gate().request(order(spec()), upstreams(base, base.run_key), context)
    assert (found.run_key, found.metric, found.task) == (base.run_key, "mae", "regression")
    assert (found.window, found.holdout, found.champion) == (
        base.window,
        base.holdout,
        base.champion,
    )
    assert found.estimators == ("sklearn.linear_model.Ridge",)
    other = world.but(family="linear").request()
    assert Gate().request(order(spec()), upstreams(other, base.run_key), context).estimators == ()


def test_results_of_two_runs_are_refused(world, context):
    from everfit.contracts.errors import RequestError

    base = world.request()
    with pytest.raises(RequestError, match=r"ORDER-RUN gate: .* must be of one run"):
        Gate().request(order(spec()), upstreams(base, digest_of("other")), context)


def test_damaged_evidence_holds(world, context, quick):
    request = world.request()
    gone = request.evaluated.losses.model_copy(update={"digest": "0" * 64})
    garbage = context.store.put("losses.parquet", b"PAR1 this is no Parquet PAR1")
    for losses in (gone, garbage):
        evaluated = request.evaluated.model_copy(update={"losses": losses})
        result = Gate().run(request.model_copy(update={"evaluated": evaluated}), context)
        assert result.verdict == "hold"
        states = {check.code: check.state for check in result.checks}
        assert states["ROWS-SAME"] == states["FINITE"] == states["GAIN"] == "not_assessed"


def test_every_check_is_documented():
    text = DOCS.read_text()
    for one in built_in_checks():
        assert f"## {one.code}\n" in text
        assert one.title in text
