"""Parts of the decision page that show what led to it: trigger, data, models, budget, cost."""

from __future__ import annotations

from pipeline_components.contracts.planning import RunType
from pipeline_components.contracts.requests import GateRequest
from pipeline_components.contracts.spans import Span
from pipeline_components.report.elements import digest, facts
from pipeline_components.report.page import escape, number, short, table

from .budget_figure import budget_figure
from .report_document import lineage

WOKEN: dict[RunType, str] = {
    "manual": "a person, in Airflow", "scheduled": "the schedule", "asset": "an event",
    "backfill": "a backfill", "cli": "a person, at the command line",
}  # fmt: skip
"""What woke a run, for people."""


def trigger(request: GateRequest) -> str:
    """Who or what woke the run."""
    woken = request.trigger
    pairs: list[tuple[str, object]] = [("Woken by", WOKEN[woken.run_type])]
    if woken.due:
        pairs.append(("Due", _plain(woken.due)))
    if woken.reason:
        pairs.append(("Reason", woken.reason))
    if woken.run_id:
        pairs.append(("Airflow run", woken.run_id))
    return str(facts(pairs))


def budget(request: GateRequest) -> str:
    """What the look at this holdout could spend, drawn with those of the year before it."""
    look, limit = request.look, request.gate.false_promotions
    if look is None:
        return "<p>No look at the holdout is recorded, so nothing could be spent on it.</p>"
    fresh, looks = sum(span.fresh for span in look.spans), len(request.looks_before) + 1
    spent = sum(one.alpha for one in request.looks_before) + look.alpha
    listed = facts(
        [
            ("This look", f"number {look.sequence}, at {_count(len(look.spans), 'span')}, "
             f"{fresh:,} of them never looked at before"),
            ("In the pool", f"{short(look.pool)}, of which {short(look.refilled)} was added for "
             "the fresh spans"),
            ("Spent", f"{short(look.alpha)}: the chance that a candidate which is no better "
             "than asked for passes" if look.alpha else "nothing: the pool is exhausted"),
            ("Spent in the year", f"{short(spent)} by {_count(looks, 'look')}: so many "
             f" false promotions are expected at most; {short(limit)} a year are allowed"),
        ]
    )  # fmt: skip
    return f"{listed}{budget_figure([*request.looks_before, look], limit)}"


def data(request: GateRequest) -> str:
    """The spans it was trained on and judged on."""
    prepared = request.prepared
    dropped = ", ".join(f"{count:,} {why}" for why, count in sorted(prepared.dropped.items()))
    champion = set(request.champion.window) if request.champion else set()

    def row(span: Span, use: str) -> list[object]:
        seen = "yes" if span.digest in champion else "no"
        return [
            span.name, use, span.rows, _plain(span.time_min), _plain(span.time_max),
            seen if request.champion else None, digest(span.digest),
        ]  # fmt: skip

    rows = [row(span, "train") for span in request.window]
    rows += [row(span, "holdout") for span in request.holdout]
    listed = facts(
        [
            ("Trained on", f"{prepared.rows_train:,} rows"),
            ("Judged on", f"{prepared.rows_holdout:,} rows"
             + ("" if request.holdout else ", a share of the same spans' rows")),
            ("Left out", dropped or "nothing"),
            ("Features", f"{sum(c.role == 'feature' for c in prepared.columns):,}"),
        ]
    )  # fmt: skip
    headers = ["Span", "Use", "Rows", "From", "To", "Champion saw it", "Digest"]
    return f"{listed}<h3>Spans</h3>{table(headers, rows)}"


def models(request: GateRequest) -> str:
    """The candidate, and the champion it was compared with."""
    text = f"<h3>Candidate</h3>{_candidate(request)}"
    champion = request.champion
    if champion is None:
        return f"{text}<h3>Champion</h3><p>There was none: the baseline is a dummy.</p>"
    scores = ", ".join(f"{name} {number(value)}" for name, value in sorted(champion.scores.items()))
    listed = facts(
        [
            ("Version", f"v{champion.version}, entry {champion.sequence} of the journal"),
            ("Run", digest(champion.run_key)),
            ("Model", digest(champion.model.digest)),
            ("Size", f"{champion.model.size:,} bytes"),
            ("Trained on", f"{len(champion.window):,} spans"),
            ("Features", f"{len(champion.features):,}"),
            ("When it was judged", scores or "not recorded"),
        ]
    )
    return f"{text}<h3>Champion</h3>{listed}"


def _candidate(request: GateRequest) -> str:
    candidate = request.evaluated.candidate
    params = [(name, escape(value)) for name, value in sorted(candidate.params.items())]
    text = str(
        facts(
            [
                ("Family", candidate.family),
                (f"Cross-validated {request.metric}", number(candidate.cv_score)),
                ("Settings tried", f"{len(candidate.trials):,}"),
                ("Size", f"{candidate.model.size:,} bytes"),
                *params,
            ]
        )
    )
    drawn = any("importance" in plot.name for plot in request.evaluated.plots)
    top = sorted(request.evaluated.importances.items(), key=lambda item: (-item[1], item[0]))[:12]
    if top and not drawn:
        text += "<h3>What it relies on</h3>"
        text += str(
            table(["Feature", "Permutation importance"], [[name, value] for name, value in top])
        )
    return text


def cost(request: GateRequest) -> str:
    """What the run's steps have cost where their work was done."""
    if not request.costs:
        return "<p>Nothing is recorded: all of it was done by other runs.</p>"
    rows: list[list[object]] = [
        [one.component, one.seconds, one.cpu_seconds, one.peak_mb] for one in request.costs
    ]
    rows.append(
        [
            "together",
            round(sum(one.seconds for one in request.costs), 3),
            round(sum(one.cpu_seconds for one in request.costs), 3),
            max(one.peak_mb for one in request.costs),
        ]
    )
    headers = ["Step", "Seconds", "CPU seconds", "Peak memory, MB"]
    return str(
        table(headers, rows, caption="As recorded when the work was done; a rerun finds it again")
    )


def lineage_table(request: GateRequest) -> str:
    """Digests of everything the decision rests on."""
    pairs: list[tuple[str, object]] = [
        (name.replace("_", " ").capitalize(), digest(value))
        for name, value in lineage(request)
        if value is not None
    ]
    if request.champion:
        told = f"version {request.champion.version}, promotion {request.champion.sequence}"
        pairs.insert(1, ("Champion", told))
    pairs.append(("Seed", str(request.seed)))
    note = '<p class="soft">sha-256, shortened; hover for the whole of it, or read the JSON.</p>'
    return f"{note}{facts(pairs)}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _plain(time: str | None) -> str | None:
    return time.replace("T", " ") if time else time
