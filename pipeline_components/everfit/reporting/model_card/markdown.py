"""The model card as Markdown, for MLflow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from everfit.contracts import wording
from everfit.contracts.messages.cards import ModelCard
from everfit.contracts.messages.verdicts import Estimate
from everfit.contracts.spec.metrics import METRICS, metric_title, metric_unit
from everfit.contracts.weighted import weighted_by
from everfit.reporting.model_card.page import (
    MOST_CLASSES,
    MOST_FEATURES,
    MOST_IMPORTANCES,
    PREDICTS,
    Standing,
    ranked,
    together,
)


def card_markdown(card: ModelCard, standing: Standing) -> str:
    """The card; the same for the same values, down to the last character."""
    parts = [
        [f"# Model card: {_text(card.pipeline)}"],
        _standing(card, standing),
        _use(card),
        _scores(card),
        _slices(card),
        _calibration(card),
        _groups(card),
        _importances(card),
        ["## Limitations", "", *(f"- {_text(text)}" for text in card.limitations)],
        _data(card),
        _model(card),
        _provenance(card),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _standing(card: ModelCard, standing: Standing) -> list[str]:
    rows = [(name, _text(value)) for name, value in standing.facts(card)]
    return [*_table(("what", "value"), rows), "", _text(standing.because)]


def _use(card: ModelCard) -> list[str]:
    lines = ["## Intended use", ""]
    if card.description:
        lines += [_text(card.description), ""]
    unit = f" in {_text(card.unit)}" if card.unit else ""
    lines.append(
        f"Predicts `{_code(card.target)}`{unit}, {PREDICTS[card.task]}, from one raw row of the "
        "table."
    )
    if card.classes:
        lines.append(f"Classes: {_codes(card.classes, MOST_CLASSES)}.")
    return lines


def _scores(card: ModelCard) -> list[str]:
    titles = {
        "candidate": f"candidate ({card.family})",
        "baseline": f"baseline ({card.baseline})",
        "dummy": f"dummy ({card.dummy})",
    }
    order = ["candidate", "baseline", *(who for who in card.scores if who.startswith("family:"))]
    if card.scores.get("baseline") != card.scores.get("dummy"):
        order.append("dummy")
    order = [who for who in order if who in card.scores]
    rows = []
    for name, metric in METRICS.items():
        if card.task not in metric.tasks:
            continue
        mark = "**" if name == card.metric else ""
        arrow = "↑" if metric.greater_is_better else "↓"
        unit = metric_unit(name, card.unit)
        rows.append(
            [f"{mark}{metric.title} {arrow}{mark}"]
            + [_estimate(card.scores[who].get(name), unit) for who in order]
        )
    heads = ["metric", *(_text(titles.get(who, who.removeprefix("family:"))) for who in order)]
    lines = [
        "## Scores",
        "",
        f"On {wording.count(card.rows_scored, 'holdout row')} none of them was trained on; "
        f"{wording.percent(card.confidence)} confidence intervals; ↑ higher is better, ↓ lower is "
        "better; the metric candidates are compared by is bold.",
        "",
        *_table(heads, rows),
    ]
    if card.comparison is None:
        return [*lines, "", f"Candidate and {_text(card.baseline)} could not be compared."]
    unit = metric_unit(card.metric, card.unit)
    return [
        *lines,
        "",
        f"Gain over {_text(card.baseline)} in {metric_title(card.metric)}, paired on the same "
        f"rows: {_estimate(card.comparison.gain, unit)}, positive where the candidate is better; "
        f"required: {card.comparison.required.in_words(unit)}.",
        "",
        f"Intervals: {_text(card.comparison.gain.method)}.",
    ]


def _slices(card: ModelCard) -> list[str]:
    unit, lines = metric_unit(card.metric, card.unit), ["## Slices"]
    if card.slices:
        rows = [
            (
                _text(found.name),
                f"`{_code(found.where)}`" if found.where else wording.NOTHING,
                wording.number(found.rows),
                _estimate(found.candidate, unit),
                _estimate(found.baseline, unit),
                _estimate(found.gain, unit),
                wording.setting(found.allowed, unit),
            )
            for found in card.slices
        ]
        heads = ("slice", "rows where", "rows", "candidate", "baseline", "gain", "may be worse by")
        lines += ["", *_table(heads, rows), "", "–: not assessed."]
    search = card.search
    if search is None:
        return lines if card.slices else []
    if search.why:
        return [*lines, "", f"No slices were searched for: {_text(search.why)}."]
    return [
        *lines,
        "",
        f"Slices were searched for with a tree of {wording.count(search.leaves, 'leaf', 'leaves')} "
        f"on {wording.count(search.fitted, 'row')}; {search.worse or 'none'} on which the "
        f"candidate looked worse than allowed {'was' if search.worse == 1 else 'were'} scored on "
        f"{wording.count(search.tested, 'other row')}.",
    ]


def _calibration(card: ModelCard) -> list[str]:
    found = card.calibration
    if found is None:
        return []
    against = f", the baseline's {_estimate(found.baseline)}" if found.baseline else ""
    return [
        "## Calibration",
        "",
        f"Expected calibration error: {_estimate(found.candidate)}{against}. Perfect "
        f"probabilities would show about {wording.number(found.by_chance)} on so many rows.",
    ]


def _groups(card: ModelCard) -> list[str]:
    lines = []
    for gap in card.fairness:
        unit, title = metric_unit(gap.metric, card.unit), metric_title(gap.metric)
        told = (
            f"largest gap {_estimate(gap.gap, unit)}"
            if gap.gap
            else f"not assessed: {_text(gap.why)}"
        )
        rows = [
            (_text(one.group), wording.number(one.rows), wording.amount(one.value, unit))
            for one in gap.groups
        ]
        lines += ["", f"{wording.capital(title)} by `{_code(gap.by)}`: {told}."]
        lines += ["", *_table(("group", "rows", title), rows)] if rows else []
    return ["## Groups", *lines] if lines else []


def _importances(card: ModelCard) -> list[str]:
    every = ranked(card)
    if not every:
        return []
    unit = metric_unit(card.metric, card.unit)
    rows = [(f"`{_code(name)}`", wording.amount(value, unit)) for name, value in every]
    title = metric_title(card.metric)
    lines = [
        "## Importance of columns",
        "",
        *_table(("column", f"{title} worse by, when it is shuffled"), rows[:MOST_IMPORTANCES]),
    ]
    if (hidden := len(rows) - MOST_IMPORTANCES) > 0:
        lines += ["", f"{wording.count(hidden, 'less important column')} not shown."]
    if told := together(card):
        lines += ["", _text(" ".join(told))]
    return lines


def _data(card: ModelCard) -> list[str]:
    timed = any(table.first for table in card.tables)
    rows = []
    for table in card.tables:
        times = [table.first or wording.NOTHING, table.last or wording.NOTHING] if timed else []
        rows.append([table.use, wording.number(table.rows), *times, f"`{table.digest[:12]}`"])
    heads = ["table", "rows", *(["from", "to"] if timed else []), "digest"]
    lines = [
        "## Data",
        "",
        *_table(heads, rows),
        "",
        f"{wording.count(len(card.features), 'raw column')} shown to the model: "
        f"{_codes(card.features, MOST_FEATURES)}.",
    ]
    if card.dropped:
        told = ", ".join(
            f"{wording.number(rows)} ({_text(reason)})" for reason, rows in card.dropped.items()
        )
        lines += ["", f"Rows left out beforehand: {told}."]
    if card.weights is not None:
        lines += ["", _text(weighted_by(card.weights))]
    return lines


def _model(card: ModelCard) -> list[str]:
    lines = [
        "## Model",
        "",
        f"Family `{_code(card.family)}`, fitted on {wording.count(card.rows_fitted, 'row')}; "
        f"{wording.count(card.settings_tried, 'setting')} tried; {wording.size(card.size)}.",
        "",
    ]
    if not card.parameters:
        return [*lines, "Every parameter has its default."]
    rows = [(f"`{_code(name)}`", f"`{_code(value)}`") for name, value in card.parameters.items()]
    return [*lines, *_table(("parameter", "value"), rows)]


def _provenance(card: ModelCard) -> list[str]:
    rows = [
        ("run key", f"`{card.run_key}`"),
        ("model", f"`{card.model}`"),
        ("seed", f"{card.seed}"),
        ("threads", f"{card.threads}"),
        ("row losses", _text(card.row_loss)),
    ]
    rows += [(_text(name), f"`{_code(text)}`") for name, text in sorted(card.environment.items())]
    return ["## Provenance", "", *_table(("what", "value"), rows)]


def _estimate(found: Estimate | None, unit: str | None = None) -> str:
    if found is None:
        return wording.NOTHING
    value, ends = wording.amount(found.value, unit), wording.interval(found.low, found.high, unit)
    return f"{value} ({ends})".replace("|", "¦")


def _codes(names: Sequence[str], most: int) -> str:
    shown = ", ".join(f"`{_code(name)}`" for name in names[:most])
    more = len(names) - most
    return f"{shown} and {more} more" if more > 0 else shown


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
