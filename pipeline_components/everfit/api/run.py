"""What a run came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Literal

Verdict = Literal["promote", "hold", "reject"]

_COLOURS = {"promote": "#1a7f37", "hold": "#9a6700", "reject": "#cf222e"}


@dataclass(frozen=True)
class Run:
    """A run that ended, in a verdict or because there was nothing to do.

    Attributes
    ----------
    pipeline : str
    verdict : {"promote", "hold", "reject"} or None
        None where there was nothing to do.
    because : str
        Why, in a sentence.
    metrics : dict
        Metric → the candidate's score on the holdout.
    baseline : dict
        Metric → score of what it was compared with.
    compared_with : str
        ``champion v3``, or the dummy's name.
    version, refit, champion : int or None
        The candidate's registered version; that of its settings fitted on the holdout too, where
        the spec asks for it; the version that serves now.
    reports : dict
        Title → page.
    key : str or None
        The run key.
    seconds : float
    """

    pipeline: str
    verdict: Verdict | None
    because: str
    metrics: dict[str, float] = field(default_factory=dict)
    baseline: dict[str, float] = field(default_factory=dict)
    compared_with: str = ""
    version: int | None = None
    refit: int | None = None
    champion: int | None = None
    reports: dict[str, Path] = field(default_factory=dict)
    key: str | None = None
    seconds: float = 0.0

    @property
    def report(self) -> Path | None:
        """The page of the decision report."""
        return self.reports.get("decision report")

    def _repr_html_(self) -> str:
        title = self.verdict or "nothing to do"
        colour = _COLOURS.get(title, "#57606a")
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{score:.4g}</td>"
            f"<td>{self.baseline[name]:.4g}</td></tr>"
            if name in self.baseline
            else f"<tr><td>{escape(name)}</td><td>{score:.4g}</td><td></td></tr>"
            for name, score in self.metrics.items()
        )
        head = f"<tr><th></th><th>candidate</th><th>{escape(self.compared_with)}</th></tr>"
        table = f"<table>{head}{rows}</table>" if rows else ""
        version = f" · version {self.version}" if self.version is not None else ""
        return (
            f'<div style="border-left:4px solid {colour};padding:4px 12px">'
            f'<b style="color:{colour}">{title.upper()}</b> {escape(self.pipeline)}{version}'
            f"<p>{escape(self.because)}</p>{table}</div>"
        )
