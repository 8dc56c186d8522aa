"""News: told when something switches on, not while it lasts."""

from __future__ import annotations

from everfit.contracts.base import digest_of
from everfit.contracts.messages.monitoring import ColumnDrift, Rise, SpanEvaluation
from everfit.contracts.messages.spans import Span
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.steps.monitor.news import news

SPEC = PipelineSpec.model_validate(
    {
        "name": "p",
        "task": "regression",
        "target": "y",
        "source": {"uri": "{data}/*.csv"},
        "gate": {"superior_by": 0.1, "baseline": "mean"},
        "monitor": {"effect": 0.2, "until": 0.1, "worse_by": "10%"},
    }
)


def evaluation(name, score=0.0, worse=None, *, depends=1.0, estimated=False, state="measured"):
    column = ColumnDrift(
        name="x",
        kind="number",
        score=score,
        measure="m",
        p_value=0.0,
        adjusted=0.0,
        significant=score > 0,
        drifted=score > 0,
        depends=depends,
        message="",
    )
    rises = ()
    if worse is not None:
        rises = (
            Rise(
                metric="mae",
                reference=1.0,
                current=1.0 + worse,
                worse=worse,
                low=worse / 2,
                rows=100,
                labelled=1.0,
                estimated=estimated,
                method="",
            ),
        )
    return SpanEvaluation(
        span=Span(name=name, digest=digest_of(name), rows=100, size=1),
        state=state,
        columns=(column,),
        rises=rises,
        because=f"so it is with {name}",
    )


def kinds(now, earlier=()):
    return [item.kind for item in news(SPEC, 3, now, earlier)]


def test_drift_and_decay_are_told_when_they_begin():
    assert kinds([evaluation("a")]) == []
    assert kinds([evaluation("a", 0.2)]) == ["drift"]
    assert kinds([evaluation("a", worse=0.1)]) == ["decay"]
    assert kinds([evaluation("a", 0.3, 0.3)]) == ["drift", "decay"]
    (item,) = news(SPEC, 3, [evaluation("a", 0.3)], ())
    assert item.what == "p: a differs from what champion v3 knows"
    assert (item.why, item.report) == ("so it is with a", "monitor_report")


def test_they_are_not_told_again_while_they_last():
    earlier = [evaluation("a", 0.3, 0.3)]
    assert kinds([evaluation("b", 0.3, 0.3)], earlier) == []
    assert kinds([evaluation("b", 0.15, 0.12)], earlier) == []
    gone = [*earlier, evaluation("b", 0.05, 0.0)]
    assert kinds([evaluation("c", 0.15)], gone) == [], "between off and on it stays off"
    assert kinds([evaluation("c", 0.3, 0.3)], gone) == ["drift", "decay"]


def test_an_estimate_begins_nothing_and_what_the_model_does_not_read_neither():
    assert kinds([evaluation("a", worse=0.9, estimated=True)]) == []
    earlier = [evaluation("a", worse=0.3), evaluation("b", worse=0.0, estimated=True)]
    assert kinds([evaluation("c", worse=0.3)], earlier) == [], "nor does it end anything"
    assert kinds([evaluation("a", 0.9, depends=0.01)]) == []
    assert kinds([evaluation("a", 0.9, depends=None)]) == ["drift"]


def test_a_span_evaluated_anew_takes_its_old_place():
    earlier = [evaluation("a", 0.0), evaluation("b", 0.0)]
    assert kinds([evaluation("a", 0.9)], earlier) == [], "the newest span, b, is fine"
    assert kinds([evaluation("b", 0.9)], earlier) == ["drift"]


def test_a_broken_span_is_told_once_and_changes_no_state():
    broken = evaluation("b", 0.9, state="broken")
    assert kinds([broken], [evaluation("a")]) == ["quarantined"]
    assert kinds([broken], [evaluation("a"), broken]) == []
    assert kinds([evaluation("c", 0.3)], [evaluation("a", 0.3), broken]) == []


def test_a_score_between_off_and_on_is_told_to_the_triggers():
    """So that an alarm that began can end below another threshold than it began at."""
    column = ColumnDrift(
        name="x",
        kind="number",
        score=0.07,
        measure="m",
        p_value=0.0,
        adjusted=0.0,
        significant=True,
        drifted=False,
        depends=0.5,
        message="",
    )
    noise = column.model_copy(update={"score": 0.4, "significant": False})
    span = Span(name="s", digest="a" * 64, rows=100, size=1)
    found = SpanEvaluation(span=span, state="measured", columns=(noise, column), because="")
    assert (found.inputs, found.any_column) == (0.07, 0.07)
