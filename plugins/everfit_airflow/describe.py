"""A pipeline in words: what stands above its DAG in Airflow."""

from __future__ import annotations

from everfit_airflow.assets import signals_of
from everfit_airflow.report_pages import PREFIX
from everfit_airflow.woken_by import margin_in_words, woken_by
from pipeline_components.contracts.gate_spec import GateSpec
from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.spec import PipelineSpec

WORDS = f"[What these words mean]({PREFIX}/glossary)"


def first_line(spec: PipelineSpec) -> str:
    """What the list of DAGs shows."""
    for line in spec.description.splitlines():
        if line.strip():
            return line.strip()[:200]
    return f"Trains and judges a {spec.task} model of {spec.target.name}."


def describe(spec: PipelineSpec) -> str:
    """Markdown: description, target, source, window, gate, families, what wakes it."""
    lines = [
        spec.description.strip() or first_line(spec),
        "",
        f"- **Predicts** `{spec.target.name}` ({spec.task})",
        f"- **Source** `{spec.source.uri}`" + _connection(spec),
        f"- **Window** {_window(spec)}; **holdout** {_holdout(spec)}",
        f"- **Families** {', '.join(f'`{family.name}`' for family in spec.train.families)}, "
        f"{spec.train.trials} settings each",
        f"- **Gate** {gate_in_words(spec)}",
        *woken_by(spec),
        "",
        "Where there is nothing to do, `plan` skips the run and says why." + _switch(spec),
        "",
        WORDS,
    ]
    return "\n".join(lines)


def describe_monitoring(spec: PipelineSpec) -> str:
    """Markdown: what each task looks at, and what comes of it."""
    monitor = spec.monitor
    columns = "every column" if monitor.columns is None else f"{len(monitor.columns)} columns"
    after = (
        f", {monitor.labels_after} later, when the labels are due" if monitor.labels_after else ""
    )
    lines = [
        f"Holds the champion of `{spec.name}` against every new span of `{spec.source.uri}`.",
        "",
        "- **watch** lists the source; where no span is new, the next three are skipped",
        "- **extract** reads the new spans, once",
        f"- **monitor** compares {columns} with the champion's window (a score of "
        f"{monitor.effect:g} matters, {100 * monitor.level:g} % false alarms a span) and its loss "
        f"with that on its holdout{after}",
        "- **drift_report** adds Evidently's report",
        f"- **wake** looks at all conditions and rings for each that holds: {_rings(spec)}",
        "- **measured** only lets the run fail where one of the first four did",
        *woken_by(spec),
        "",
        WORDS,
    ]
    return "\n".join(lines)


def _rings(spec: PipelineSpec) -> str:
    signals = signals_of(spec.triggers)
    if not signals:
        return "none here, only a person starts the training"
    named = ", ".join(f"`{signal}`" for signal in signals)
    return f"{named}. Each is an asset that starts [{spec.name}.train](/dags/{spec.name}.train)"


def _switch(spec: PipelineSpec) -> str:
    if not spec.triggers.automatic:
        return ""
    name = f"{spec.name}.monitor"
    return f" Switch [{name}](/dags/{name}) on too: it finds what is new and wakes this."


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
    if gate.mode == "observe":
        text += " It only observes: nothing is promoted by itself."
    if gate.approval == "required":
        text += (
            " Then a person is asked, in this DAG: until somebody approves the champion stays, and "
            "no other training begins."
        )
    return text


def _intention(gate: GateSpec) -> str:
    if gate.superior_by is not None:
        return f"better than the champion's by more than {margin_in_words(gate.superior_by)}"
    assert gate.not_worse_than is not None
    return f"not worse than the champion's by more than {margin_in_words(gate.not_worse_than)}"


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
