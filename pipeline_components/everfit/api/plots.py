"""The pictures of the reports, as a notebook shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from everfit.contracts.errors import UserError

if TYPE_CHECKING:
    from everfit.contracts.messages.monitoring import SpanEvaluation
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.pipeline import PipelineSpec
    from everfit.reporting.svg import Drawing


@dataclass(frozen=True)
class Picture:
    """An SVG picture.

    Attributes
    ----------
    svg : str
    """

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> Path:
        """Write it to a file."""
        target = Path(path)
        target.write_text(self.svg, encoding="utf-8")
        return target


class Plots:
    """What monitoring has seen of the champion, drawn as in its report."""

    def __init__(self, spec: PipelineSpec, settings: Settings) -> None:
        self._spec, self._settings = spec, settings

    def score(self) -> Picture:
        """The champion's score over the spans that monitoring has measured.

        Raises
        ------
        UserError
            If none was measured yet.
        """
        from everfit.contracts.spec.metrics import metric_unit
        from everfit.reporting.plot import WIDE
        from everfit.steps.monitor.report.loss_picture import loss_picture

        metric, margin = self._spec.primary_metric, self._spec.monitor.worse_by
        unit = metric_unit(metric, self._spec.target.unit)
        return self._drawn(lambda spans: loss_picture(spans, metric, margin, WIDE, unit))

    def drift(self) -> Picture:
        """Columns by spans: how far each has drifted from what the champion was trained on.

        Raises
        ------
        UserError
            If no span was compared yet.
        """
        from everfit.reporting.plot import WIDE
        from everfit.steps.monitor.report.drift_picture import drift_map

        return self._drawn(lambda spans: drift_map(spans, self._spec.monitor, WIDE))

    def _drawn(self, draw: Callable[[list[SpanEvaluation]], Drawing | None]) -> Picture:
        spans = self._evaluations()
        drawing = draw(spans) if spans else None
        if drawing is None:
            raise UserError(
                "API-PICTURES",
                self._spec.name,
                "pictures are of spans that monitoring has measured",
                "there is none yet" if not spans else "none of them holds what it would show",
                "Call monitor() once new data is there",
            )
        return Picture(drawing.file().decode())

    def _evaluations(self) -> list[SpanEvaluation]:
        """Of the champion, oldest first, each span as it was measured last."""
        from everfit.contracts.messages.monitoring import MonitorResult
        from everfit.engine.context import open_context

        found: dict[str, SpanEvaluation] = {}
        with open_context(self._settings) as context:
            head = context.ledger.champion(self._spec.name)
            if head is None:
                return []
            for record in context.ledger.monitorings(self._spec.name, head.run_key):
                result = MonitorResult.model_validate_json(context.store.get(record.document))
                found |= {
                    one.span.digest: one
                    for one in result.evaluations
                    if one.span.digest == record.span
                }
        return list(found.values())
