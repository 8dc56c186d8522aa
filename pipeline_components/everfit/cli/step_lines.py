"""What a finished step comes to, in words: its summary as a person reads it."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.cli.terminal import VERDICT_MARKS
from everfit.contracts.left_out import left_out, much_left_out
from everfit.contracts.messages.steps import Outcome
from everfit.contracts.messages.summaries import (
    EvaluateSummary,
    ExtractSummary,
    GateSummary,
    PlanSummary,
    PrepareSummary,
    RefitSummary,
    RegisterSummary,
    StepSummary,
    TrainSummary,
    ValidateSummary,
)
from everfit.contracts.spec.metrics import metric_title, metric_unit
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.wording import amount, apart, count, duration, listed, size


def step_line(name: str, outcome: Outcome, spec: PipelineSpec) -> str:
    """``✓ extract   0.31 s   4 spans, 2,000 rows, 312 kB``."""
    how = "cached" if outcome.cached else duration(outcome.seconds)
    facts = ", ".join(filter(None, _facts(outcome.summary, spec))) if outcome.summary else ""
    mark = "✓"
    if isinstance(outcome.summary, GateSummary):
        mark = VERDICT_MARKS[outcome.summary.verdict]
    return f"  {mark} {name:<20} {how:>10}   {facts}".rstrip()


def more_lines(outcome: Outcome) -> list[str]:
    """What a person should read below the line: findings, rows left out, the smallest gain."""
    match outcome.summary:
        case PlanSummary():
            more = outcome.summary.left_out - len(outcome.summary.notes)
            told = [f"left out: {note}" for note in outcome.summary.notes]
            told += [f"left out: {more:,} more (everfit plan)"] if more > 0 and told else []
            return [*told, *filter(None, [outcome.summary.detectable])]
        case ExtractSummary():
            return list(outcome.summary.notes)
        case ValidateSummary():
            return list(outcome.summary.findings)
        case PrepareSummary():
            dropped, of = outcome.summary.left_out, outcome.summary.rows_read
            warning = much_left_out(dropped, of)
            told = [f"left out: {phrase}" for phrase in left_out(dropped, of)]
            return [*told, f"! {warning}"] if warning else told
    return []


def _facts(summary: StepSummary, spec: PipelineSpec) -> Sequence[str]:
    match summary:
        case PlanSummary():
            return (
                f"train on {count(summary.window, 'span')}",
                f"judge on {count(summary.holdout, 'span') if summary.holdout else 'their rows'}",
                f"{count(summary.left_out, 'span')} left out" if summary.left_out else "",
            )
        case ExtractSummary():
            return (
                count(summary.spans, "span"),
                count(summary.rows, "row"),
                size(summary.bytes),
                f"{count(summary.refused, 'span')} refused ({summary.first_refusal})"
                if summary.refused
                else "",
            )
        case ValidateSummary():
            return (
                count(summary.good, "good span"),
                f"{summary.quarantined:,} in quarantine" if summary.quarantined else "",
                count(summary.errors, "error") if summary.errors else "",
                count(summary.warnings, "warning") if summary.warnings else "",
                count(summary.remarks, "remark") if summary.remarks else "",
            )
        case PrepareSummary():
            return (
                f"{count(summary.rows_train, 'row')} to train on",
                f"{summary.rows_holdout:,} to judge on",
                count(summary.features, "feature"),
                f"{count(summary.dropped, 'row')} dropped" if summary.dropped else "",
            )
        case TrainSummary():
            metric = spec.primary_metric
            score = amount(summary.cv_score, metric_unit(metric, spec.target.unit))
            return (
                f"cross-validated {metric_title(metric)} {score}",
                f"best of {count(summary.trials, 'setting')}",
                count(summary.rows, "row"),
            )
        case EvaluateSummary():
            return _scores(summary, spec)
        case GateSummary():
            return (
                summary.verdict,
                f"failed: {listed(summary.checks_failed)}" if summary.checks_failed else "",
                f"warns: {listed(summary.warnings)}" if summary.warnings else "",
            )
        case RefitSummary():
            return _refitted(summary)
        case RegisterSummary():
            return _versions(summary)
    return [f"{name} {value}" for name, value in summary.shown().items() if name != "because"]


def _scores(summary: EvaluateSummary, spec: PipelineSpec) -> Sequence[str]:
    who = "champion" if summary.baseline.startswith("champion") else "dummy"
    baseline = summary.baseline if who == "champion" else f"the {summary.baseline} dummy"
    if summary.score is None or summary.baseline_score is None:
        return (f"{summary.candidate} against {baseline}", "no finite scores")
    unit = metric_unit(summary.metric, spec.target.unit)
    ours, theirs = apart(summary.score, summary.baseline_score, unit=unit)
    return (
        f"{metric_title(summary.metric)} {ours} against {theirs} of {baseline}",
        count(summary.rows, "row"),
    )


def _refitted(summary: RefitSummary) -> Sequence[str]:
    if summary.rows is None:
        return (summary.because.rstrip("."),)
    return (f"{summary.family} with the same settings", f"{count(summary.rows, 'row')} in all")


def _versions(summary: RegisterSummary) -> Sequence[str]:
    if summary.version is None:
        return ("no version: the verdict is not to promote",)
    if summary.awaits == "approval":
        return (f"v{summary.version}, which waits for a person's answer",)
    if summary.awaits:
        return (f"v{summary.version}, which only observes",)
    if summary.superseded:
        return (f"v{summary.version} stays a challenger: another was promoted in the meantime",)
    if summary.refit is not None:
        return (f"v{summary.version}, and v{summary.refit}, its refit, which is champion now",)
    return (f"v{summary.version}, which is champion now",)
