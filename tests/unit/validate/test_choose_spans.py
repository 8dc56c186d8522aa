from __future__ import annotations

import pytest

from everfit.contracts.messages.requests import Anomaly
from everfit.contracts.messages.spans import Span
from everfit.steps.validate.choose_spans import choose_spans


def spans_of(count):
    return [Span(name=f"s{i}", digest=f"{i:064x}", rows=10, size=1) for i in range(count)]


def error(code, span, column=None, message="it is so"):
    return Anomaly(code=code, severity="error", span=span, column=column, message=message)


def names(spans):
    return [span.name for span in spans]


@pytest.fixture
def spec(make_spec):
    return make_spec(window={"spans": 3, "skip_recent": 2, "min_spans": 2}, holdout={"spans": 1})


def test_what_plan_skipped_is_not_skipped_again(spec):
    spans = spans_of(4)
    choice = choose_spans(spec, spans, spans, (), ())
    assert (names(choice.window), names(choice.holdout)) == (["s0", "s1", "s2"], ["s3"])


def test_a_quarantined_holdout_span_gives_way_to_the_one_before(spec):
    spans = spans_of(4)
    choice = choose_spans(spec, spans, spans[:3], (error("INF", "s3", "x"),), ())
    assert (names(choice.window), names(choice.holdout)) == (["s0", "s1"], ["s2"])


def test_too_few_says_what_was_quarantined_and_why(spec):
    spans = spans_of(4)
    anomalies = (error("INF", "s1", "x"), error("INF", "s1", "y"), error("EMPTY-SPAN", "s2"))
    stop = choose_spans(spec, spans, [spans[0], spans[3]], anomalies, ()).stop
    assert (stop.code, stop.user_must_fix) == ("VALIDATE-TOO-FEW", False)
    assert stop.must == "at least 2 good spans to train on and 1 to judge on"
    assert stop.found == "2 of 4 are good, quarantined: s1 (INF), s2 (EMPTY-SPAN)"


def test_no_span_at_all(spec):
    assert choose_spans(spec, [], [], (), ()).stop.found == "0 of 0 are good"


def test_a_holdout_the_champion_saw_stops(spec):
    spans = spans_of(4)
    bad = (error("INF", "s3", "x"),)
    stop = choose_spans(spec, spans, spans[:3], bad, [spans[2].digest]).stop
    assert (stop.code, stop.user_must_fix) == ("VALIDATE-SEEN", False)
    assert "s2" in stop.found
    assert "s3 (INF)" in stop.found
    assert choose_spans(spec, spans, spans, (), [spans[2].digest]).stop is None


def test_a_share_of_rows_needs_no_holdout_span(make_spec):
    spans = spans_of(1)
    choice = choose_spans(make_spec(holdout={"fraction": 0.2}), spans, spans, (), ())
    assert (names(choice.window), choice.holdout, choice.stop) == (["s0"], (), None)


@pytest.mark.parametrize("code", ["TARGET-LEAK", "TARGET-TYPE", "TARGET-MISSING", "MISSING-COLUMN"])
def test_an_error_in_every_span_is_the_specs(spec, code):
    spans = spans_of(4)
    everywhere = [error(code, span.name, "tips") for span in spans]
    stop = choose_spans(spec, spans, [], everywhere, ()).stop
    assert (stop.code, stop.user_must_fix) == (code, True)
    assert "'tips'" in stop.found
    some = choose_spans(spec, spans, [spans[0]], everywhere[1:], ()).stop
    assert (some.code, some.user_must_fix) == ("VALIDATE-TOO-FEW", False)
