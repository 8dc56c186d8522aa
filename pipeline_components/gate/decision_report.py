"""The decision report: everything as JSON, and a page to hand to an auditor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline_components.contracts.base import canonical_json
from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.requests import GateRequest
from pipeline_components.contracts.spans import Span
from pipeline_components.contracts.verdicts import Check, Comparison, Estimate, VerdictName
from pipeline_components.report.elements import digest, facts, picture, pictures, tag
from pipeline_components.report.page import (
    Html,
    Section,
    Tone,
    escape,
    number,
    page,
    pill,
    short,
    table,
)

from .decide import obstructing
from .interval_figure import gain_figure, strip

TONE: dict[VerdictName, Tone] = {"promote": "good", "hold": "warn", "reject": "bad"}
MEANING: dict[VerdictName, str] = {
    "promote": "The candidate becomes champion.",
    "hold": "Nothing changes: what is known does not suffice to decide.",
    "reject": "Nothing changes: the candidate is surely not what was asked for.",
}


def report_json(
    request: GateRequest,
    verdict: VerdictName,
    because: str,
    checks: Sequence[Check],
    compared: Comparison | None,
) -> bytes:
    """The whole decision as canonical JSON."""
    evaluated, prepared = request.evaluated, request.prepared
    document: dict[str, Any] = {
        "format": 1,
        "pipeline": request.pipeline,
        "run_key": request.run_key,
        "verdict": verdict,
        "because": because,
        "would_have_flipped_it": list(flips(verdict, checks)),
        "checks": [check.model_dump(mode="json") for check in checks],
        "gate": request.gate.model_dump(mode="json"),
        "comparison": compared.model_dump(mode="json") if compared else None,
        "candidate": {
            "family": evaluated.candidate.family,
            "params": evaluated.candidate.params,
            "cv_score": evaluated.candidate.cv_score,
            "model": evaluated.candidate.model.model_dump(mode="json"),
        },
        "champion": request.champion.model_dump(mode="json") if request.champion else None,
        "baseline": evaluated.baseline,
        "scores": {
            model: {metric: found.model_dump(mode="json") for metric, found in scores.items()}
            for model, scores in evaluated.scores.items()
        },
        "slices": [found.model_dump(mode="json") for found in evaluated.slices],
        "window": [span.model_dump(mode="json") for span in request.window],
        "holdout": [span.model_dump(mode="json") for span in request.holdout],
        "rows": {
            "train": prepared.rows_train,
            "holdout": prepared.rows_holdout,
            "dropped": prepared.dropped,
        },
        "lineage": dict(_lineage(request)),
        "seed": request.seed,
    }
    return canonical_json(document)


def report_html(
    request: GateRequest,
    verdict: VerdictName,
    because: str,
    checks: Sequence[Check],
    compared: Comparison | None,
    *,
    plots: Sequence[tuple[str, bytes]],
) -> bytes:
    """The decision as one page.

    Parameters
    ----------
    plots : sequence of (name, svg)
        Pictures of evaluate, embedded as images.
    """
    candidate, against = request.evaluated.candidate.family, request.evaluated.baseline
    if request.champion is None:
        against = f"the {against} dummy"
    sections = [
        Section("The comparison", _comparison(request, because, checks, compared)),
        Section("What would have changed the verdict", _flips(verdict, checks)),
        Section("Checks", _checks(checks)),
        Section("Scores", _scores(request)),
    ]
    if request.evaluated.slices:
        sections.append(Section("Slices", _slices(request)))
    if plots:
        drawn = [picture(svg, _title(name)) for name, svg in plots]
        sections.append(Section("Pictures", pictures(drawn)))
    sections += [
        Section("Data", _data(request)),
        Section("Candidate", _candidate(request)),
        Section("Lineage", _lineage_table(request)),
    ]
    return page(
        f"{candidate} against {against}",
        because,
        sections,
        badge=verdict,
        tone=TONE[verdict],
        kicker=f"{request.pipeline} · decision report",
        footer=f"{MEANING[verdict]} Run {request.run_key[:12]}. This page follows from the run "
        "key alone: it holds no time and fetches nothing.",
    )


def flips(verdict: VerdictName, checks: Sequence[Check]) -> list[str]:
    """What would have changed the verdict, a sentence each."""
    if verdict == "promote":
        told = [check.flip for check in checks if check.code == "GAIN" and check.flip]
    else:
        told = [
            check.flip or f"“{check.title}” would have had to pass"
            for check in obstructing(checks)
            if check.state == "failed"
        ] or [f"“{check.title}” would have had to be judged" for check in obstructing(checks)]
    return [f"{sentence.rstrip('.')}." for sentence in told]


def _comparison(
    request: GateRequest, because: str, checks: Sequence[Check], compared: Comparison | None
) -> str:
    gain = next((check for check in checks if check.code == "GAIN"), None)
    said = gain is None or because.startswith(gain.message.rstrip("."))  # by the headline already
    told = "" if said or gain is None else f"<p>{escape(gain.message)}</p>"
    if compared is None:
        return told or "<p>The candidate could not be compared with its baseline.</p>"
    tone: Tone = "calm"
    if gain is not None and gain.state == "passed":
        tone = "good"
    elif gain is not None and gain.state == "failed":
        tone = "bad" if gain.forces == "reject" else "warn"
    metric = METRICS[compared.metric]
    better = "higher" if metric.greater_is_better else "lower"
    asked = (
        f"surely better by {short(compared.margin)}"
        if compared.intention == "superior_by"
        else f"surely not worse by more than {short(compared.margin)}"
    )
    spec = request.gate.superior_by or request.gate.not_worse_than
    if spec is not None and spec.relative:
        asked += f" ({short(100 * spec.value)} % of the baseline's score)"
    listed = facts(
        [
            ("Metric", f"{metric.title} ({compared.metric}), {better} is better"),
            ("Candidate", number(compared.candidate_score)),
            (f"Baseline: {compared.baseline}", number(compared.baseline_score)),
            ("Asked for", asked),
            ("Interval", f"{100 * request.gate.confidence:g} %, {compared.gain.method}, "
             f"{compared.gain.rows:,} rows scored by both"),
        ]
    )  # fmt: skip
    return f"{told}{gain_figure(compared, tone)}{listed}"


def _flips(verdict: VerdictName, checks: Sequence[Check]) -> str:
    told = flips(verdict, checks)
    if not told:
        return "<p>Nothing that the checks could name.</p>"
    if len(told) == 1:
        return f"<p>{escape(told[0])}</p>"
    lead = "<p>All of these together:</p>"
    return f"{lead}<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in told)}</ul>"


def _checks(checks: Sequence[Check]) -> str:
    items = []
    obstacles = obstructing(checks)
    for check in [*obstacles, *(check for check in checks if check not in obstacles)]:
        tone: Tone = "calm"
        if check.state == "passed":
            tone = "good"
        elif check.state == "failed":
            tone = "bad" if check.severity == "error" and check.forces != "hold" else "warn"
        elif check.state == "not_assessed" and check.severity == "error":
            tone = "warn"
        role = "must pass" if check.severity == "error" else check.severity
        items.append(
            f"<li><div>{pill(check.state.replace('_', ' '), tone)}</div><div><div class='head'>"
            f"<strong>{escape(check.title)}</strong>{tag(role)}<code>{escape(check.code)}</code>"
            f"</div><p>{escape(check.message)}</p></div></li>"
        )
    return f'<ul class="findings">{"".join(items)}</ul>'


def _scores(request: GateRequest) -> str:
    scores = request.evaluated.scores
    candidate, baseline = scores.get("candidate", {}), scores.get("baseline", {})
    dummy = scores.get("dummy", {})
    columns: list[tuple[str, dict[str, Estimate]]] = [
        ("Candidate", candidate),
        (f"Baseline: {request.evaluated.baseline}", baseline),
    ]
    if dummy and dummy != baseline:
        columns.append((f"Dummy: {request.gate.baseline}", dummy))
    names = [name for name in METRICS if any(name in found for _, found in columns)]
    names.sort(key=lambda name: name != request.metric)
    rows = []
    for name in names:
        estimates = [(title, found.get(name)) for title, found in columns]
        rows.append(
            [_metric(name, request.metric), *(_estimate(e) for _, e in estimates),
             strip(estimates[:2])]
        )  # fmt: skip
    drawn = "Intervals drawn: candidate above, baseline below; each row has its own scale"
    headers = ["Metric", *(title for title, _ in columns), "Intervals"]
    text = str(table(headers, rows, caption=drawn))
    chosen = f"family:{request.evaluated.candidate.family}"
    families = {chosen: candidate} | {
        name: found for name, found in sorted(scores.items()) if name.startswith("family:")
    }
    if len(families) > 1:
        rows = [
            [_family(name, request), *(_estimate(found.get(metric)) for metric in names)]
            for name, found in families.items()
        ]
        text += "<h3>Every family on the same rows</h3>"
        text += str(table(["Family", *names], rows))
        text += (
            '<p class="soft">The candidate is the family with the best cross-validated score, '
            "chosen before the holdout was looked at.</p>"
        )
    return text


def _slices(request: GateRequest) -> str:
    rows = [
        [
            found.name,
            found.rows,
            _estimate(found.candidate),
            _estimate(found.baseline),
            strip([("candidate", found.candidate), ("baseline", found.baseline)])
            or escape("too few rows"),
        ]
        for found in request.evaluated.slices
    ]
    return str(
        table(
            ["Slice", "Rows", "Candidate", "Baseline", "Intervals"],
            rows,
            caption=f"{request.metric} of declared subsets of the holdout; candidate drawn above, "
            "baseline below",
        )
    )


def _data(request: GateRequest) -> str:
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


def _candidate(request: GateRequest) -> str:
    candidate = request.evaluated.candidate
    params = [(name, escape(value)) for name, value in sorted(candidate.params.items())]
    text = str(
        facts(
            [
                ("Family", candidate.family),
                (f"Cross-validated {request.metric}", number(candidate.cv_score)),
                ("Settings tried", f"{len(candidate.trials):,}"),
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


def _lineage(request: GateRequest) -> list[tuple[str, str | None]]:
    prepared, evaluated = request.prepared, request.evaluated
    champion = request.champion
    return [
        ("run_key", request.run_key),
        ("training_table", prepared.train.digest),
        ("holdout_table", prepared.holdout.digest),
        ("split_proof", prepared.proof.digest),
        ("candidate_model", evaluated.candidate.model.digest),
        ("champion_model", champion.model.digest if champion else None),
        ("champion_run_key", champion.run_key if champion else None),
        ("champion_training_table", champion.train.digest if champion else None),
        ("row_losses", evaluated.losses.digest),
        ("sample", evaluated.sample.digest),
        ("sample_predictions", evaluated.predictions.digest),
        ("model_card", evaluated.card.digest),
    ]


def _lineage_table(request: GateRequest) -> str:
    pairs: list[tuple[str, object]] = [
        (name.replace("_", " ").capitalize(), digest(value))
        for name, value in _lineage(request)
        if value is not None
    ]
    if request.champion:
        told = f"version {request.champion.version}, promotion {request.champion.sequence}"
        pairs.insert(1, ("Champion", told))
    pairs.append(("Seed", str(request.seed)))
    note = '<p class="soft">sha-256, shortened; hover for the whole of it, or read the JSON.</p>'
    return f"{note}{facts(pairs)}"


def _metric(name: str, primary: str) -> Html:
    arrow = "higher is better" if METRICS[name].greater_is_better else "lower is better"
    main = f"<strong>{escape(name)}</strong>" if name == primary else escape(name)
    note = f"primary, {arrow}" if name == primary else arrow
    return Html(f"{main}<br><small>{note}</small>")


def _estimate(found: Estimate | None) -> Html:
    if found is None:
        return escape("–")
    return Html(
        f"{escape(number(found.value).replace('-', '−'))}<br><small>"
        f"{escape(number(found.low).replace('-', '−'))} to "
        f"{escape(number(found.high).replace('-', '−'))}</small>"
    )


def _family(name: str, request: GateRequest) -> Html:
    plain = name.removeprefix("family:")
    chosen = tag("candidate") if plain == request.evaluated.candidate.family else Html("")
    return Html(f"{escape(plain)} {chosen}")


def _title(name: str) -> str:
    plain = name.rpartition(".")[0] or name
    return plain.replace("_", " ").replace("-", " ").capitalize()


def _plain(time: str | None) -> str | None:
    return time.replace("T", " ") if time else time
