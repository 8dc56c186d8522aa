"""What wakes a pipeline and what holds it back, in words."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline_components.contracts.durations import duration
from pipeline_components.contracts.margins import Margin
from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.triggers import Condition, Decay, Drift, NewData, so_many

DRIFT = {
    "loss": "the champion's loss",
    "inputs": "what the champion depends on",
    "columns": "any column",
    "loss_or_inputs": "the champion's loss or what it depends on",
}


def woken_by(spec: PipelineSpec) -> list[str]:
    """Lines of Markdown: the conditions, indented as they are grouped, then what holds back."""
    triggers = spec.triggers
    lines = ["- **Woken by** a person" + (", or where" if triggers.when else "")]
    if triggers.when:
        members = triggers.when.members
        lines[0] += f" {_group(triggers.when)}" if len(members) > 1 else ""
        for member in members:
            lines += ["    " + line for line in _condition(spec, member)]
    lines += [f"- **{name}** {text}" for name, text in _holders(spec)]
    return lines


def _condition(spec: PipelineSpec, condition: Condition) -> Iterator[str]:
    if condition.members:
        yield f"- {_group(condition)}"
        for member in condition.members:
            yield from ("    " + line for line in _condition(spec, member))
    else:
        yield f"- {_words(spec, condition)}"


def _group(condition: Condition) -> str:
    if condition.some:
        return f"{condition.some.needed} of {len(condition.some.conditions)} of these hold:"
    return "all of these hold:" if condition.all else "any of these holds:"


def _words(spec: PipelineSpec, condition: Condition) -> str:
    if condition.schedule is not None:
        return f"it is time by `{condition.schedule}` ({spec.triggers.timezone})"
    if condition.new_data is not None:
        return _new_data(condition.new_data)
    if condition.drift is not None:
        return _drift(spec, condition.drift)
    if condition.decay is not None:
        return _decay(spec, condition.decay)
    return "spec, component code or environment differ from those of the last run"


def _new_data(new: NewData) -> str:
    spans = "1 span is" if new.min_spans == 1 else f"{new.min_spans} spans are"
    rows = f" and {new.min_rows:,} rows are" if new.min_rows else ""
    return f"{spans} new" if not rows else f"{spans.rpartition(' ')[0]}{rows} new, at least"


def _drift(spec: PipelineSpec, drift: Drift) -> str:
    what, monitor = DRIFT[drift.on], spec.monitor
    by = [f"a loss {margin_in_words(monitor.worse_by)} higher"] if "loss" in drift.on else []
    by += [f"a drift score of {monitor.effect:g}"] if drift.on != "loss" else []
    return f"{_lasting(drift.lasting)} {what} has drifted ({' or '.join(by)})"


def _decay(spec: PipelineSpec, decay: Decay) -> str:
    metric = METRICS[decay.metric or spec.primary_metric].title
    return (
        f"{_lasting(decay.lasting)} the champion's {metric} is worse by "
        f"{margin_in_words(decay.worse_by)} than when it was judged"
    )


def _lasting(text: str) -> str:
    hits, among = so_many(text)
    if among == 1:
        return "in the newest span"
    return f"in {hits} of the newest {among} spans"


def _holders(spec: PipelineSpec) -> Iterator[tuple[str, str]]:
    triggers = spec.triggers
    if triggers.max_staleness:
        yield "At the latest", f"{_long(triggers.max_staleness)} after a verdict, if spans are new"
    if triggers.cooldown:
        yield "Not", f"within {_long(triggers.cooldown)} of a verdict"
    if triggers.quiet:
        yield "Quiet", f"{triggers.quiet} ({triggers.timezone}): nothing is trained then"
    if triggers.budget:
        budget = triggers.budget
        yield "Budget", f"{budget.trainings} trainings in any {_long(budget.per)}"


def margin_in_words(margin: Margin) -> str:
    """``5 %`` or ``0.5``."""
    return f"{100 * margin.value:g} %" if margin.relative else f"{margin.value:g}"


def _long(text: str) -> str:
    """``6 hours``."""
    seconds = int(duration(text).total_seconds())
    for unit, size in (("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return text
