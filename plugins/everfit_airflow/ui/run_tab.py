"""The state of a run for its tab: its reports, or the lines that say why there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from everfit.contracts.messages.steps import Component, Ended, Outcome
from everfit.contracts.messages.summaries import (
    PromoteSummary,
    ReconcileSummary,
    ScoreSummary,
    Summary,
)
from everfit.contracts.wording import count

REPORTS: dict[str, tuple[Component, str]] = {
    "decision_report": ("gate", "Decision report"),
    "model_card": ("evaluate", "Model card"),
    "data_report": ("prepare", "Data report"),
    "monitor_report": ("monitor", "Monitor report"),
    "drift_report": ("drift_report", "Drift report (Evidently)"),
}
"""Report → the component that makes it, and its name; what is told first stands first."""

DRAWN_FIRST: dict[str, Component] = {"data_report": "validate"}
"""Report → the component that draws it before the one above; where that has not run, its page."""

BECAUSE = "because"
"""Key of the XCom that holds the one line of a task that failed or had nothing to do."""

ENDED = "ended"
"""Key of the XCom with what a component leaves all the same where it had nothing to do."""

MLFLOW: tuple[Component, ...] = ("register", "drift_report")
"""The components that keep a run in MLflow, one in each DAG."""

LAST: Component = "register"
"""The component that draws a report anew, with what became of the candidate: the model card."""

DECIDED = ("promote", "reconcile", "score")
"""The tasks of DAGs without a report of their own; the tab shows their summaries."""

STATES = {
    "champion": "is the champion",
    "waiting": "waits for approval",
    "refused": "was refused, and stays a challenger",
    "superseded": "was approved too late, and stays a challenger",
}
"""State of a version → in words."""

WAKE = "wake"
"""The task of monitoring that says whether training is woken."""


@dataclass(frozen=True)
class RunSoFar:
    """What the tasks of a run have left."""

    outcomes: Mapping[str, Outcome | Ended] = field(default_factory=dict)
    """Task → what it has left."""
    because: Sequence[tuple[str, str]] = ()
    """Component and the line of it that failed, or had nothing to do."""
    decided: Sequence[Summary] = ()
    """Summaries of what people had done (promotions, answers, repairs), and of scoring."""

    def digest(self, report: str) -> str | None:
        """Which page of the store a report is."""
        for name in (LAST, REPORTS[report][0], DRAWN_FIRST.get(report, ""), "promote"):
            left = self.outcomes.get(name)
            if left is not None and report in left.reports:
                return left.reports[report].digest
        return None

    @property
    def mlflow_run(self) -> str:
        """Address of the run in MLflow; empty where it has none."""
        left = (self.outcomes[name] for name in MLFLOW if name in self.outcomes)
        return next(filter(None, (one.links.get("mlflow_run") for one in left)), "")


def run_tab(run: RunSoFar, *, readable: bool) -> dict[str, Any]:
    """The state of a run, as its tab draws it (``run_tab.js``).

    Parameters
    ----------
    readable : bool
        Whether Airflow's server can read the reports from the store.

    Returns
    -------
    dict
        JSON values. ``reports`` stand in the order they are offered; ``decisions`` and ``reasons``
        are lines of text.
    """
    return {
        "reports": [
            {"name": name, "title": title, "drawsItself": name == "drift_report"}
            for name, (_, title) in REPORTS.items()
            if run.digest(name)
        ],
        "readable": readable,
        "mlflow": run.mlflow_run,
        "decisions": [lines for lines in map(_lines, run.decided) if lines],
        "reasons": [{"task": task, "line": line} for task, line in run.because],
    }


def _lines(summary: Summary) -> list[str]:
    match summary:
        case PromoteSummary():
            return [f"Version {summary.version} {STATES[summary.state]}", summary.because]
        case ReconcileSummary():
            done, left = summary.repaired_total, summary.for_a_person_total
            head = f"{summary.pipeline}: {done} repaired, {left} for a person"
            lines = [*(f"repaired: {text}" for text in summary.repaired), *summary.for_a_person]
            more = done + left - len(lines)
            return [head, *lines, *([f"and {more} more, in the log"] if more > 0 else [])]
        case ScoreSummary():
            by = ", ".join(f"v{version}" for version in summary.versions)
            what = f"{count(summary.scored, 'span')} with {count(summary.rows, 'row')}"
            lines = [f"{count(summary.already, 'span')} scored before"] if summary.already else []
            if summary.unscored:
                lines.append(f"{count(summary.unscored, 'row')} without a finite prediction")
            return [f"{what} scored by {by}", f"output: {summary.output}", *lines, *summary.notes]
    return []
