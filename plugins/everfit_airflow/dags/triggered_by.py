"""What triggers a pipeline and what holds its training back, in words."""

from __future__ import annotations

from collections.abc import Iterator

from everfit.contracts.spec.durations import duration_text
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.triggers.conditions import Condition
from everfit.contracts.spec.triggers.kind import TriggerKind


def triggered_by(spec: PipelineSpec) -> list[str]:
    """Lines of Markdown: the conditions, indented as they are grouped, then what holds back."""
    when = spec.triggers.when
    lines = ["- **Triggered by** a person" + (", or when" if when else "")]
    if when:
        lines[0] += f" {when.in_words()}" if len(when.conditions) > 1 else ""
        for member in when.conditions:
            lines += ["    " + line for line in _condition(spec, member)]
    lines += [f"- **{name}** {text}" for name, text in _limits(spec)]
    return lines


def _condition(spec: PipelineSpec, condition: Condition) -> Iterator[str]:
    if isinstance(condition, TriggerKind):
        yield f"- {condition.in_words(spec)}"
    else:
        yield f"- {condition.in_words()}"
        for member in condition.conditions:
            yield from ("    " + line for line in _condition(spec, member))


def _limits(spec: PipelineSpec) -> Iterator[tuple[str, str]]:
    triggers = spec.triggers
    if triggers.max_staleness:
        latest = duration_text(triggers.max_staleness)
        yield "At the latest", f"{latest} after the last verdict, if there are new spans"
    if triggers.cooldown:
        yield "Cooldown", f"no training within {duration_text(triggers.cooldown)} of a verdict"
    if triggers.quiet:
        yield "Quiet", f"{triggers.quiet} ({triggers.timezone}): no training then"
    if triggers.budget:
        period = duration_text(triggers.budget.per)
        yield "Budget", f"at most {triggers.budget.trainings} trainings in any {period}"
