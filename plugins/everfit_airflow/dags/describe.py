"""A pipeline in words: what stands above its DAG in Airflow."""

from __future__ import annotations

from everfit.contracts.spec.margins import required_in_words
from everfit.contracts.spec.metrics import METRICS, metric_unit
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.score import ScoreEvent
from everfit.contracts.spec.source import SourceSpec
from everfit.contracts.wording import percent, plain, setting
from everfit_airflow.dags.assets import signals_of
from everfit_airflow.dags.triggered_by import triggered_by
from everfit_airflow.ui.report_pages import PREFIX

WORDS = f"[What these words mean]({PREFIX}/glossary)"


def first_line(spec: PipelineSpec) -> str:
    """What the list of DAGs shows."""
    for line in spec.description.splitlines():
        if line.strip():
            return line.strip()[:200]
    return f"Trains and judges a {spec.task} model of {spec.target.name}."


def describe(spec: PipelineSpec) -> str:
    """Markdown: description, target, source, window, gate, families, what triggers it."""
    lines = [
        spec.description.strip() or first_line(spec),
        "",
        f"- **Predicts** `{spec.target.name}` ({spec.task})",
        f"- **Source** `{spec.source.address}`" + _connection(spec.source),
        *(
            f"- **Joined** `{one.source.address}`{_connection(one.source)} on {', '.join(one.on)}"
            for one in spec.join
        ),
        *_labels(spec),
        f"- **Window** {_window(spec)}; **holdout** {_holdout(spec)}",
        f"- **Families** {', '.join(f'`{family.name}`' for family in spec.train.families)}, "
        f"{spec.train.trials} settings each",
        f"- **Gate** {gate_in_words(spec)}",
        *triggered_by(spec),
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
        f"Compares every new span of `{spec.source.address}` with the champion of `{spec.name}`.",
        "",
        "- **watch** lists the source; where no span is new, the tasks before `wake` are skipped",
        "- **extract** reads the new spans, once",
        f"- **monitor** compares {columns} with the champion's window (a score of "
        f"{plain(monitor.effect)} matters, {percent(monitor.level)} false alarms a span) and its "
        f"loss with that on its holdout{after}",
        *_fall_back(spec),
        "- **drift_report** adds Evidently's report",
        "- **wake** evaluates all conditions, and wakes the training for each that holds: "
        + _signals(spec),
        "- **measured** only lets the run fail where one of the tasks before `wake` did",
        *triggered_by(spec),
        "",
        WORDS,
    ]
    return "\n".join(lines)


def _fall_back(spec: PipelineSpec) -> list[str]:
    if not spec.train.refit:
        return []
    return [
        "- **fall_back** lets the judged model serve again, where `monitor` finds its refit "
        "surely worse"
    ]


EVENTS: dict[ScoreEvent, str] = {
    "champion": "a new champion",
    "new_spans": "spans that monitoring has found",
}


def describe_scoring(spec: PipelineSpec) -> str:
    """Markdown: what is scored, by which version, when, and where predictions go."""
    score = spec.score
    assert score is not None
    zone = spec.triggers.timezone
    when = [f"a tick of `{score.schedule}` ({zone})"] if score.schedule else []
    when += [EVENTS[event] for event in score.on]
    spans = "every span" if score.spans == "all" else f"the newest {score.spans}"
    lines = [
        f"Predicts spans with a version of `{spec.name}`, each span once for a version.",
        "",
        f"- **Input** `{score.input or spec.source.address}`, {spans}",
        f"- **Version** {score.version}",
        f"- **Output** `{score.output}`",
        f"- **Triggered by** a person{''.join(f', {one}' for one in when)}",
        "",
        "Where every span is scored already the task is skipped. A span that cannot be scored "
        "stops no other, and the run fails once the others are done.",
        "",
        WORDS,
    ]
    return "\n".join(lines)


def _signals(spec: PipelineSpec) -> str:
    signals = signals_of(spec.triggers)
    if not signals:
        return "none here, only a person starts the training"
    named = ", ".join(f"`{signal}`" for signal in signals)
    return f"{named}. Each is an asset that starts [{spec.name}.train](/dags/{spec.name}.train)"


def _switch(spec: PipelineSpec) -> str:
    if not spec.triggers.automatic:
        return ""
    name = f"{spec.name}.monitor"
    return f" Switch [{name}](/dags/{name}) on too: it finds what is new and wakes this one."


def gate_in_words(spec: PipelineSpec) -> str:
    """One or two sentences that a reader of the verdict can check."""
    gate = spec.gate
    metric = METRICS[spec.primary_metric].title
    required = required_in_words(gate.intention, gate.margin.text, "the champion's")
    text = (
        f"promotes a candidate whose {metric} is, with {percent(gate.confidence)} confidence and "
        f"on the same holdout rows, {required}. Before there is a champion, the "
        f"`{gate.baseline}` dummy stands in for it."
    )
    if gate.when_decayed:
        asks = gate.when_decayed
        lenient = required_in_words(asks.intention, asks.margin.text)
        text += f" Where the champion has surely decayed, {lenient} is enough."
    if gate.limits:
        parts = []
        for name, limit in gate.limits.items():
            unit = metric_unit(name, spec.target.unit)
            bounds = [f"at least {setting(limit.min, unit)}"] if limit.min is not None else []
            bounds += [f"at most {setting(limit.max, unit)}"] if limit.max is not None else []
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


def _labels(spec: PipelineSpec) -> list[str]:
    if (labels := spec.labels) is None:
        return []
    return [
        f"- **Labels** `{labels.source.address}`{_connection(labels.source)}, due "
        f"{labels.horizon} after a row's time"
    ]


def _connection(source: SourceSpec) -> str:
    name = source.connection_name
    return f", connection `{name}`" if name else ""


def _window(spec: PipelineSpec) -> str:
    window = spec.window
    text = "all spans" if window.spans == "all" else f"the newest {window.spans} spans"
    if window.skip_recent:
        text += f" but the last {window.skip_recent}"
    return text


def _holdout(spec: PipelineSpec) -> str:
    if spec.holdout.spans is not None:
        return "the newest span" if spec.holdout.spans == 1 else f"{spec.holdout.spans} spans"
    return f"{percent(spec.holdout.fraction)} of the rows"
