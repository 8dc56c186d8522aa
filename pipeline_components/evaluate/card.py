"""The model card: what the candidate is, what it was trained and judged on, and its limits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.requests import EvaluateRequest, TrainResult
from pipeline_components.contracts.verdicts import Estimate
from pipeline_components.scoring.scored import ROW_LOSS

from .judge import Judged

MOST_IMPORTANCES = 15


def card(
    request: EvaluateRequest,
    candidate: TrainResult,
    baseline: str,
    judged: Judged,
    *,
    importances: Mapping[str, float],
    facts: Mapping[str, Any],
    environment: Mapping[str, str],
) -> str:
    """Write the card.

    Parameters
    ----------
    request : EvaluateRequest
    candidate : TrainResult
    baseline : str
        ``champion v3`` or the dummy's name.
    judged : Judged
    importances : mapping
        column → permutation importance.
    facts : mapping
        ``rows_train``, ``rows_holdout`` and, where there is a time column, ``from_…``, ``to_…``.
    environment : mapping
        Python, machine and library versions.

    Returns
    -------
    str
        Markdown; the same for the same arguments, down to the last character.

    References
    ----------
    .. [1] Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
    """
    parts = [
        [f"# Model card: {_text(request.pipeline)}"],
        _use(request),
        _model(candidate),
        _data(request, facts),
        _metrics(request, candidate, baseline, judged),
        _slices(request, judged),
        _calibration(judged),
        _fairness(judged),
        _importances(request, importances),
        _limitations(request, judged, facts),
        _provenance(request, candidate, environment),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _use(request: EvaluateRequest) -> list[str]:
    kind = {
        "regression": "a number (regression)",
        "binary": "one of two classes (binary classification)",
        "multiclass": "one of several classes (multiclass classification)",
    }[request.task]
    lines = ["## Intended use", ""]
    if request.description:
        lines += [_text(request.description), ""]
    lines.append(f"Predicts `{_code(request.target)}`, {kind}, from one raw row of the table.")
    if request.classes:
        shown = [f"`{_code(name)}`" for name in request.classes[:20]]
        more = len(request.classes) - len(shown)
        lines.append(f"Classes: {', '.join(shown)}{f' and {more} more' if more else ''}.")
    return lines


def _model(candidate: TrainResult) -> list[str]:
    lines = ["## Model", "", f"Family `{_code(candidate.family)}`, fitted on "
             f"{candidate.rows:,} rows; {len(candidate.trials):,} settings tried.", ""]  # fmt: skip
    lines += _table(
        ("parameter", "value"),
        [(f"`{_code(name)}`", f"`{_code(json.dumps(value, sort_keys=True, default=str))}`")
         for name, value in sorted(candidate.params.items())],
    ) if candidate.params else ["Every parameter has its default."]  # fmt: skip
    return lines


def _data(request: EvaluateRequest, facts: Mapping[str, Any]) -> list[str]:
    rows = []
    for side, title in (("train", "window (training)"), ("holdout", "holdout (judging)")):
        cells = [title, f"{facts[f'rows_{side}']:,}"]
        if request.time:
            cells += [facts.get(f"from_{side}", "unknown"), facts.get(f"to_{side}", "unknown")]
        cells.append(f"`{getattr(request, side).digest[:12]}`")
        rows.append(cells)
    heads = ["table", "rows", *(["from", "to"] if request.time else []), "digest"]
    lines = ["## Data", "", *_table(heads, rows), ""]
    features = [column.name for column in request.columns if column.role == "feature"]
    lines.append(f"{len(features)} raw columns are shown to the model: "
                 + ", ".join(f"`{_code(name)}`" for name in features[:60])
                 + (f" and {len(features) - 60} more." if len(features) > 60 else "."))  # fmt: skip
    dropped = {reason: rows for reason, rows in sorted(request.dropped.items()) if rows}
    if dropped:
        told = ", ".join(f"{rows:,} ({_text(reason)})" for reason, rows in dropped.items())
        lines += ["", f"Rows left out beforehand: {told}."]
    return lines


def _metrics(
    request: EvaluateRequest, candidate: TrainResult, baseline: str, judged: Judged
) -> list[str]:
    names = {"candidate": f"candidate ({candidate.family})", "baseline": f"baseline ({baseline})"}
    order = ["candidate", "baseline"]
    order += [who for who in judged.scores if who.startswith("family:")]
    if judged.scores.get("baseline") != judged.scores.get("dummy"):
        order.append("dummy")
        names["dummy"] = f"dummy ({request.baseline})"
    order = [who for who in order if who in judged.scores]
    metrics = [name for name, metric in METRICS.items() if request.task in metric.tasks]
    rows = []
    for metric in metrics:
        mark = "**" if metric == request.metric else ""
        arrow = "↑" if METRICS[metric].greater_is_better else "↓"
        rows.append(
            [f"{mark}{METRICS[metric].title} (`{metric}`) {arrow}{mark}"]
            + [_estimate(judged.scores[who].get(metric)) for who in order]
        )
    heads = ["metric", *(names.get(who, who.removeprefix("family:")) for who in order)]
    lines = ["## Metrics", "", f"On {_rows(judged):,} holdout rows none of them was trained on; "
             f"{100 * request.confidence:.4g} % intervals; ↑ more is better, ↓ less is better; "
             "the metric candidates are compared by is bold.", "",
             *_table(heads, rows)]  # fmt: skip
    method = next((e.method for metrics in judged.scores.values() for e in metrics.values()), None)
    if method:
        lines += ["", f"Intervals: {method}."]
    comparison = judged.comparison
    if comparison is None:
        lines += ["", f"Candidate and {baseline} could not be compared."]
    else:
        how = "superior by" if comparison.intention == "superior_by" else "not worse than"
        lines += ["", f"Gain over {baseline} in `{comparison.metric}`, paired on the same rows: "
                  f"{_estimate(comparison.gain)} (positive is better; declared: {how} "
                  f"{_number(comparison.margin)})."]  # fmt: skip
    return lines


def _slices(request: EvaluateRequest, judged: Judged) -> list[str]:
    lines = ["## Slices", ""]
    if judged.slices:
        rows = [
            (_text(found.name), f"`{_code(found.where)}`", f"{found.rows:,}",
             _estimate(found.candidate), _estimate(found.baseline), _estimate(found.gain),
             "–" if found.allowed is None else f"−{_number(found.allowed)}")
            for found in judged.slices
        ]  # fmt: skip
        heads = ("slice", "rows where", "rows", f"candidate `{request.metric}`", "baseline",
                 "gain", "allowed")  # fmt: skip
        lines += [*_table(heads, rows), "", "–: not assessed. A gain is paired, on the slice's "
                  "rows alone; below 0 the candidate is worse."]  # fmt: skip
    search = judged.search
    if search is None:
        return lines if judged.slices else []
    gap = [""] if judged.slices else []
    if search.why:
        return [*lines, *gap, f"No slices were looked for: {_text(search.why)}."]
    told = (
        f"Slices were looked for by a tree of {search.leaves:,} leaves on {search.fitted:,} rows; "
        f"{search.worse or 'none'} on which the candidate looked worse than allowed "
        f"{'was' if search.worse == 1 else 'were'} scored on {search.tested:,} other rows."
    )
    return [*lines, *gap, told]


def _calibration(judged: Judged) -> list[str]:
    found = judged.calibration
    if found is None:
        return []
    rows = [(f"{one.rows:,}", _number(one.predicted), _number(one.observed)) for one in found.bins]
    against = f", the baseline's {_estimate(found.baseline)}" if found.baseline else ""
    return ["## Calibration", "",
            f"Expected calibration error: {_estimate(found.candidate)}{against}. Perfect "
            f"probabilities would show about {_number(found.by_chance)} on so many rows.", "",
            *_table(("rows", "probability said", "share that came true"), rows)]  # fmt: skip


def _fairness(judged: Judged) -> list[str]:
    lines = []
    for gap in judged.fairness:
        told = f"gap {_estimate(gap.gap)}" if gap.gap else f"not assessed: {_text(gap.why)}"
        rows = [
            (_text(one.group), f"{one.rows:,}", "–" if one.value is None else _number(one.value))
            for one in gap.groups
        ]
        lines += ["", f"`{gap.metric}` by `{_code(gap.by)}`: {told}."]
        lines += ["", *_table(("group", "rows", gap.metric), rows)] if rows else []
    return ["## Groups", *lines] if lines else []


def _importances(request: EvaluateRequest, importances: Mapping[str, float]) -> list[str]:
    if not importances:
        return []
    ranked = sorted(importances.items(), key=lambda item: (-item[1], item[0]))
    rows = [(f"`{_code(name)}`", _number(value)) for name, value in ranked[:MOST_IMPORTANCES]]
    lines = ["## Importances", "", f"Loss of `{request.metric}` when a column is shuffled.", "",
             *_table(("column", "loss"), rows)]  # fmt: skip
    if len(ranked) > MOST_IMPORTANCES:
        lines += ["", f"{len(ranked) - MOST_IMPORTANCES} columns that matter less are left out."]
    return lines


def _limitations(request: EvaluateRequest, judged: Judged, facts: Mapping[str, Any]) -> list[str]:
    lines = ["## Limitations", ""]
    if request.time and "to_holdout" in facts:
        lines.append(f"- Nothing is known of its quality after {facts['to_holdout']}.")
    lines.append("- Values unlike those of the training window may be answered badly, and are "
                 "not refused.")  # fmt: skip
    thin = [found for found in judged.slices if found.p_value is None]
    if thin:
        told = "; ".join(f"{_text(found.name)} ({_text(found.why)})" for found in thin)
        lines.append(f"- Not assessed on slices: {told}.")
    if not request.slices and not request.fairness:
        lines.append("- No slices or groups are declared, so nothing is known of particular ones.")
    if not request.time and not request.entity:
        lines.append("- Intervals take rows as independent: no time or entity is declared.")
    if judged.not_finite:
        lines.append(f"- Not finite or not scored: {'; '.join(map(_text, judged.not_finite))}.")
    lines.append("- Importances tell what this model uses, not what causes the target.")
    return lines


def _provenance(
    request: EvaluateRequest, candidate: TrainResult, environment: Mapping[str, str]
) -> list[str]:
    rows = [
        ("run key", f"`{request.run_key}`"),
        ("model", f"`{candidate.model.digest}`"),
        ("seed", f"{request.seed}"),
        ("threads", f"{request.threads}"),
        ("row losses", ROW_LOSS[request.metric]),
        *((name, f"`{version}`") for name, version in sorted(environment.items())),
    ]
    return ["## Provenance", "", *_table(("what", "value"), rows)]


def _rows(judged: Judged) -> int:
    return len(judged.losses["candidate"])


def _estimate(found: Estimate | None) -> str:
    if found is None:
        return "–"
    return f"{_number(found.value)} ({_number(found.low)} to {_number(found.high)})"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _text(text: str) -> str:
    """One paragraph in which no character means anything to Markdown or HTML."""
    text = " ".join(text.split())
    for mark in "\\`*_[]<>|#":
        text = text.replace(
            mark, f"\\{mark}" if mark not in "<>" else {"<": "&lt;", ">": "&gt;"}[mark]
        )
    return text


def _code(text: str) -> str:
    """Text between backticks in a table: no backtick, bar or line break of its own."""
    return " ".join(text.split()).replace("`", "'").replace("|", "¦")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]
