"""The tab of a run: its reports side by side, or a line that says why there are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from everfit_airflow.simple_page import simple_page
from pipeline_components.contracts.steps import Component

REPORTS: dict[str, tuple[Component, str]] = {
    "decision_report": ("gate", "Decision report"),
    "model_card": ("evaluate", "Model card"),
    "data_report": ("validate", "Data report"),
    "monitor_report": ("monitor", "Monitor report"),
    "drift_report": ("drift_report", "Drift report (Evidently)"),
}
"""Report → the component that makes it, and its name; what is told first stands first."""

BECAUSE = "because"
"""Key of the XCom that holds the one line of a task that failed or had nothing to do."""

ENDED = "ended"
"""Key of the XCom with what a component leaves all the same where it had nothing to do."""

MLFLOW: tuple[Component, ...] = ("register", "drift_report")
"""The components that keep a run in MLflow, one in each DAG."""

DECIDED = ("promote", "reconcile")
"""The tasks of the DAGs by which people decide; they tell in words."""

WAKE = "wake"
"""The task of monitoring that says whether training is woken."""

TOLD = (
    "padding:.2rem 1.5rem;font:14px/1.5 system-ui,sans-serif;overflow-wrap:anywhere;"
    "border-bottom:1px solid color-mix(in srgb,currentColor 18%,transparent)"
)

BAR = (
    '<nav style="display:flex;flex-wrap:wrap;gap:.4rem 1.6rem;align-items:baseline;padding:.7rem '
    "1.5rem;border-bottom:1px solid color-mix(in srgb,currentColor 18%,transparent);"
    'font:14px/1.5 system-ui,sans-serif">'
)


@dataclass(frozen=True)
class RunSoFar:
    """What the tasks of a run have left."""

    outcomes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Component → its outcome."""
    because: Sequence[tuple[str, str]] = ()
    """Component and the line of it that failed, or had nothing to do."""
    told: Sequence[Mapping[str, Any]] = ()
    """Summaries of what people had done: promotions, answers, things put right."""

    def digest(self, report: str) -> str | None:
        """Which page of the store a report is."""
        for name in (REPORTS[report][0], "promote"):
            if found := self.outcomes.get(name, {}).get("reports", {}).get(report):
                return str(found["digest"])
        return None

    @property
    def mlflow_run(self) -> str:
        """Address of the run in MLflow; empty where it has none."""
        found = (self.outcomes.get(name, {}).get("links", {}).get("mlflow_run") for name in MLFLOW)
        return str(next(filter(None, found), ""))


def run_tab(run: RunSoFar, report: str | None, read: Callable[[str], bytes | None]) -> bytes:
    """The page.

    Parameters
    ----------
    report : str or None
        Which to show; None is the first there is.
    read : callable
        Digest → the page of that digest, None where it cannot be read here.
    """
    there = [name for name in REPORTS if run.digest(name)]
    shown = report if report in there else next(iter(there), None)
    bar, told = _bar(run, there, shown), _told(run)
    if shown is None:
        text = told if run.told and not run.because else told + _why(run)
        return simple_page("Everfit", text, bar).encode()
    bar += f'<div style="{TOLD}">{told}</div>' if told else ""
    page = read(run.digest(shown) or "")
    if page is None:
        text = (
            "<p>This report is in a store that Airflow's web server does not read. "
            "The run in MLflow keeps a copy of it, under its artifacts.</p>"
        )
        return simple_page(REPORTS[shown][1], text, bar).encode()
    head, body, rest = page.partition(b"<body>")
    return head + body + bar.encode() + rest


def _bar(run: RunSoFar, there: Sequence[str], shown: str | None) -> str:
    items = []
    for name in there:
        title = escape(REPORTS[name][1])
        here = ' aria-current="page" style="color:inherit;font-weight:650;text-decoration:none"'
        items.append(f'<a href="?report={name}"{here if name == shown else ""}>{title}</a>')
    if run.mlflow_run:
        # Airflow's frame opens no other site: an address to copy, and a button on the task.
        where = f'<code style="user-select:all">{escape(run.mlflow_run)}</code>'
        items.append(f'<span style="margin-left:auto;font-size:11.5px">MLflow {where}</span>')
    return f"{BAR}{''.join(items)}</nav>" if items else ""


def _told(run: RunSoFar) -> str:
    """What was decided or put right, above whatever report there is."""
    return "".join(f"<p>{'<br>'.join(map(escape, lines))}</p>" for lines in map(_lines, run.told))


def _lines(summary: Mapping[str, Any]) -> list[str]:
    if "repaired_in_all" not in summary:
        state = {
            "champion": "is the champion", "refused": "was refused, and stays a challenger",
            "superseded": "was approved too late, and stays a challenger",
        }.get(str(summary.get("state")), "")  # fmt: skip
        return [f"Version {summary.get('version')} {state}", str(summary.get("because", ""))]
    done, left = summary["repaired_in_all"], summary["for_a_person_in_all"]
    head = f"{summary.get('pipeline')}: {done} repaired, {left} for a person"
    lines = [f"repaired: {text}" for text in summary.get("repaired", ())]
    lines += [str(text) for text in summary.get("for_a_person", ())]
    more = done + left - len(lines)
    return [head, *lines, *([f"and {more} more, in the log"] if more > 0 else [])]


def _why(run: RunSoFar) -> str:
    if not run.because:
        return (
            "<h1>No report yet</h1><p>Training: the data report comes with <code>validate</code>, "
            "the model card with <code>evaluate</code>, the decision report with <code>gate</code>."
            "</p><p>Monitoring: its report comes with <code>monitor</code>, Evidently's with "
            "<code>drift_report</code>.</p>"
        )
    lines = "".join(
        f"<p><strong>{escape(component)}</strong> {escape(line)}</p>"
        for component, line in run.because
    )
    return f"<h1>This run made no report</h1>{lines}"
