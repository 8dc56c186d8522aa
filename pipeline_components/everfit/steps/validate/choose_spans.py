"""Window and holdout among the good spans, or why there is nothing to train on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from everfit.contracts.base import Digest
from everfit.contracts.errors import shortlist
from everfit.contracts.messages.requests import Anomaly, Stop
from everfit.contracts.messages.spans import Span, choose
from everfit.contracts.spec.pipeline import PipelineSpec

MEND: dict[str, str] = {
    "MISSING-COLUMN": "Correct the column's name in the spec, or the source",
    "TARGET-MISSING": "Correct the target in the spec, or the source",
    "TARGET-TYPE": "Correct the task or the target in the spec",
    "TARGET-LEAK": "List the column in features.drop",
    "UNREADABLE": "Say how the column is read, or raise validation.max_unreadable",
}
"""Codes that, found in every span, are about the spec and not about a span; what to do."""


class Choice(NamedTuple):
    """What is trained and judged on; both empty where ``stop`` says so."""

    window: tuple[Span, ...]
    holdout: tuple[Span, ...]
    stop: Stop | None


def choose_spans(
    spec: PipelineSpec,
    spans: Sequence[Span],
    good: Sequence[Span],
    anomalies: Sequence[Anomaly],
    champion_window: Sequence[Digest],
    skip_recent: int = 0,
) -> Choice:
    """Apply the rule that plan applied, to the good spans.

    Parameters
    ----------
    spans : sequence of Span
        All that were judged, oldest first.
    good : sequence of Span
        Those without an error.
    champion_window : sequence of Digest
        Spans the champion was trained on: it cannot be judged on them.
    skip_recent : int
        Newest spans to leave out; 0: plan has left them out already.
    """
    stop = _rule_that_fails(anomalies) or _spec_problem(spans, anomalies)
    if stop is not None:
        return Choice((), (), stop)
    window, holdout = choose(
        good, spec.window.model_copy(update={"skip_recent": skip_recent}), spec.holdout
    )
    if not window:
        return Choice((), (), _too_few(spec, spans, good, anomalies))
    seen = [span.name for span in holdout if span.digest in champion_window]
    if seen:
        stop = Stop(
            code="VALIDATE-SEEN",
            must="a candidate is judged on spans that neither it nor the champion has seen",
            found=f"of the good spans left, the champion was trained on {shortlist(seen)}"
            + _because(anomalies),
            todo="Wait for the next span, or correct the quarantined ones",
        )
        return Choice((), (), stop)
    return Choice(window, holdout, None)


def _rule_that_fails(anomalies: Sequence[Anomaly]) -> Stop | None:
    """The stop where a rule for rows says that the run ends: of all spans, the first is told."""
    found = [one for one in anomalies if one.code == "ROW-RULE-FAIL" and one.severity == "error"]
    if not found:
        return None
    more = f" (and in {len(found) - 1} more)" if len(found) > 1 else ""
    return Stop(
        code="ROW-RULE-FAIL",
        must="a rule of validation.rows that fails a run must hold for every row",
        found=f"in {found[0].span}{more}: {found[0].message}",
        todo="Correct the rows at the source, or the rule",
        user_must_fix=True,
    )


def _spec_problem(spans: Sequence[Span], anomalies: Sequence[Anomaly]) -> Stop | None:
    """The stop where one and the same error in every span says that the spec is wrong."""
    errors = [anomaly for anomaly in anomalies if anomaly.severity == "error"]
    for code, todo in MEND.items():
        about: dict[str | None, set[str]] = {}
        for anomaly in errors:
            if anomaly.code == code:
                about.setdefault(anomaly.column, set()).add(anomaly.span)
        wrong = [name for name, where in about.items() if len(where) == len(spans)]
        if wrong and spans:
            first = next(a for a in errors if a.code == code and a.column == wrong[0])
            names = shortlist(repr(name) for name in wrong)
            return Stop(
                code=code,
                must=_MUST[code],
                found=f"in every span, {names}: {first.message}",
                todo=todo,
                user_must_fix=True,
            )
    return None


_MUST = {
    "MISSING-COLUMN": "the columns a pipeline names must be in its table",
    "TARGET-MISSING": "there must be a target to predict",
    "TARGET-TYPE": "the target must fit the task",
    "TARGET-LEAK": "no feature may give the target away",
    "UNREADABLE": "nearly all cells of a column must be of its type",
}


def _too_few(
    spec: PipelineSpec, spans: Sequence[Span], good: Sequence[Span], anomalies: Sequence[Anomaly]
) -> Stop:
    need = max(spec.window.min_spans, 1)
    judged = spec.holdout.spans or 0
    wanted = f"at least {need} good span{'s' if need > 1 else ''} to train on"
    if judged:
        wanted += f" and {judged} to judge on"
    return Stop(
        code="VALIDATE-TOO-FEW",
        must=wanted,
        found=f"{len(good)} of {len(spans)} {'is' if len(good) == 1 else 'are'} good"
        + _because(anomalies),
        todo=_what_to_do(spans, good, anomalies),
        all_refused=_refused(spans, anomalies) and (not good or len(spans) >= need + judged),
    )


def _refused(spans: Sequence[Span], anomalies: Sequence[Anomaly]) -> bool:
    """Whether a span is left out for what it holds, and not as a copy of another."""
    names = {span.name for span in spans}
    return any(
        a.severity == "error" and a.code != "DUPLICATE-SPAN" and a.span in names for a in anomalies
    )


def _what_to_do(spans: Sequence[Span], good: Sequence[Span], anomalies: Sequence[Anomaly]) -> str:
    """Advice by what the spans were quarantined for."""
    again = {a.span for a in anomalies if a.code == "DELIVERED-BEFORE" and a.severity == "error"}
    if again and 2 * len(again) >= len(spans) - len(good):
        return (
            "A full dump each time needs a key; where the same customers or machines come back by "
            "nature, name them as entity and divide them with holdout.fraction; where equal rows "
            "are new observations all the same, list DELIVERED-BEFORE in validation.ignore"
        )
    errors = [a for a in anomalies if a.severity == "error"]
    if not errors:
        return "Wait for more spans"
    first = errors[0]
    about = f" {first.column}" if first.column else ""
    return (
        f"{first.span}{about}: {first.message.rstrip('.')}. Correct the source or the spec, or "
        f"list what is meant to be so in validation.ignore ({first.code}"
        f"{f':{first.column}' if first.column else ''}); the data report has the rest"
    )


def _because(anomalies: Sequence[Anomaly]) -> str:
    """What the quarantined spans were quarantined for."""
    codes: dict[str, list[str]] = {}
    for anomaly in anomalies:
        if anomaly.severity == "error" and anomaly.code not in codes.get(anomaly.span, []):
            codes.setdefault(anomaly.span, []).append(anomaly.code)
    if not codes:
        return ""
    return ", quarantined: " + shortlist(
        (f"{span} ({', '.join(some)})" for span, some in codes.items()), most=3
    )
