"""A pipeline in words: what stands above its DAG in Airflow."""

from __future__ import annotations

from everfit_airflow.report_pages import PREFIX
from pipeline_components.contracts.margins import Margin
from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.spec import GateSpec, PipelineSpec


def first_line(spec: PipelineSpec) -> str:
    """What the list of DAGs shows."""
    for line in spec.description.splitlines():
        if line.strip():
            return line.strip()[:200]
    return f"Trains and judges a {spec.task} model of {spec.target.name}."


def describe(spec: PipelineSpec) -> str:
    """Markdown: description, target, source, window, gate, families, schedule."""
    lines = [
        spec.description.strip() or first_line(spec),
        "",
        f"- **Predicts** `{spec.target.name}` ({spec.task})",
        f"- **Source** `{spec.source.uri}`" + _connection(spec),
        f"- **Window** {_window(spec)}; **holdout** {_holdout(spec)}",
        f"- **Families** {', '.join(f'`{family.name}`' for family in spec.train.families)}, "
        f"{spec.train.trials} settings each",
        f"- **Gate** {gate_in_words(spec)}",
        f"- **Woken** {_schedule(spec)}; where nothing changed, `plan` skips and says so",
        "",
        f"[What these words mean]({PREFIX}/glossary)",
    ]
    return "\n".join(lines)


def gate_in_words(spec: PipelineSpec) -> str:
    """One or two sentences that a reader of the verdict can check."""
    gate = spec.gate
    metric = METRICS[spec.primary_metric].title
    text = (
        f"promotes a candidate whose {metric} is, with {gate.confidence:.0%} confidence and on the "
        f"same holdout rows, {_intention(gate)}. Before there is a champion, the "
        f"`{gate.baseline}` dummy stands in for it."
    )
    if gate.limits:
        parts = []
        for name, limit in gate.limits.items():
            bounds = [f"at least {limit.min:g}"] if limit.min is not None else []
            bounds += [f"at most {limit.max:g}"] if limit.max is not None else []
            parts.append(f"{METRICS[name].title} {' and '.join(bounds) or 'finite'}")
        text += f" It must also keep {'; '.join(parts)}."
    return text


def _intention(gate: GateSpec) -> str:
    if gate.superior_by is not None:
        return f"better than the champion's by more than {_margin(gate.superior_by)}"
    assert gate.not_worse_than is not None
    return f"not worse than the champion's by more than {_margin(gate.not_worse_than)}"


def _margin(margin: Margin) -> str:
    return f"{100 * margin.value:g} %" if margin.relative else f"{margin.value:g}"


def _connection(spec: PipelineSpec) -> str:
    return f", connection `{spec.source.connection}`" if spec.source.connection else ""


def _window(spec: PipelineSpec) -> str:
    window = spec.window
    text = "all spans" if window.spans == "all" else f"the newest {window.spans} spans"
    if window.skip_recent:
        text += f" but the last {window.skip_recent}"
    return text


def _holdout(spec: PipelineSpec) -> str:
    if spec.holdout.spans is not None:
        return "the newest span" if spec.holdout.spans == 1 else f"{spec.holdout.spans} spans"
    return f"{100 * (spec.holdout.fraction or 0):g} % of the rows"


def _schedule(spec: PipelineSpec) -> str:
    if spec.triggers.schedule is None:
        return "by hand"
    return f"by `{spec.triggers.schedule}` ({spec.triggers.timezone}) and by hand"
