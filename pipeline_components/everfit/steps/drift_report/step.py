"""Drift report: the evaluations in; Evidently's page of the newest and their runs in MLflow out.

The page is made once and found again; MLflow is told each time, which a second time changes
nothing. So a registry that was away, or was lost, is put right by running the task again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from everfit.contracts.base import canonical_json, digest_of
from everfit.contracts.errors import NothingToDo, RequestError, shortlist
from everfit.contracts.messages.monitoring import (
    DriftReportRequest,
    DriftReportResult,
    MonitorResult,
    SpanEvaluation,
)
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.spans import Snapshot, Span
from everfit.contracts.messages.steps import Order
from everfit.contracts.messages.summaries import DriftReportSummary
from everfit.engine.context import Context
from everfit.engine.fingerprints import code_digest, environment_digest
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream
from everfit.steps.drift_report.run_log import run_log
from everfit.storage.kept import keep, recall
from everfit.storage.mlflow import RunLog, open_registry, run_page

log = logging.getLogger(__name__)


class DriftReport(Step[DriftReportRequest, DriftReportResult]):
    """Make the drift report of the newest span, and log every evaluation to MLflow."""

    name = "drift_report"
    result_type = DriftReportResult
    cached = False

    def request(self, order: Order, upstream: Upstream, context: Context) -> DriftReportRequest:
        """The spans that were evaluated, and what they were compared with.

        Raises
        ------
        NothingToDo
            If monitor evaluated no span.
        RequestError
            If the ledger does not know the champion.
        """
        name = order.pipeline.name
        monitored = upstream.one("monitor", MonitorResult)
        if not monitored.evaluations:
            raise NothingToDo("DRIFT-REPORT-NOTHING", name, "no span was evaluated")
        champion = _champion(name, monitored.champion, context)
        return DriftReportRequest(
            pipeline=name,
            owner=order.pipeline.owner,
            champion=champion,
            reference=_window(name, champion, context),
            evaluation=monitored.evaluations[-1],
            before=monitored.evaluations[:-1],
            drift=monitored.drift,
            page=monitored.page,
        )

    def run(self, request: DriftReportRequest, context: Context) -> DriftReportResult:
        """Find or make the page, and make MLflow show each evaluation, the newest with it."""
        parts = 2 + len(request.before)
        context.progress.update("drift report", 0, parts)
        made = _page(request, context)
        context.progress.update("drift report", 1, parts)
        files = {
            "reports/monitor_report.html": request.page,
            "reports/drift_report.html": made.report,
            "drift.json": request.drift,
        }

        def local(_: str) -> Mapping[str, bytes | Path]:
            return {
                name: context.store.local(artifact.digest, context.scratch)
                for name, artifact in files.items()
            }

        with open_registry(context.settings, request.pipeline) as registry:
            for number, evaluation in enumerate(request.before):
                registry.ensure_run(_logged(request, evaluation, context), lambda _: {})
                context.progress.update("drift report", 2 + number, parts)
            place = registry.ensure_run(_logged(request, request.evaluation, context), local)
        context.progress.update("drift report", parts, parts)
        return made.model_copy(
            update={
                "page": request.page,
                "mlflow_run": place.run,
                "mlflow_experiment": place.experiment,
            }
        )

    def record(
        self,
        _request: DriftReportRequest,
        _result: DriftReportResult,
        _context: Context,
        _order: Order,
    ) -> None:
        """Nothing: what was measured, monitor has recorded."""

    def report(self, result: DriftReportResult, context: Context) -> StepReport:
        """Say whether Evidently made a report, and where the run is to be seen."""
        reports = {"drift_report": result.report}
        if result.page is not None:
            reports["monitor_report"] = result.page
        address = run_page(context.settings, result.mlflow_experiment, result.mlflow_run or "")
        summary = DriftReportSummary(
            evidently=result.made,
            because=result.because,
            left_out=shortlist(item.partition(":")[0] for item in result.left_out),
            mlflow_run=result.mlflow_run or "",
        )
        links = {"mlflow_run": address} if address and result.mlflow_run else {}
        return StepReport(summary=summary, reports=reports, links=links)


def _page(request: DriftReportRequest, context: Context) -> DriftReportResult:
    """The page as it was made before; one of Evidently's is kept, ours costs nothing."""
    key = digest_of(
        {
            "code": code_digest("drift_report_page"),
            "environment": environment_digest(),
            "pipeline": request.pipeline,
            "champion": request.champion.version,
            "reference": [span.digest for span in request.reference],
            "evaluation": request.evaluation.model_dump(mode="json"),
        }
    )
    known = recall("drift_report_page", key, context)
    if known.document is not None:
        return DriftReportResult.model_validate_json(known.document)
    from everfit.steps.drift_report.report.make_page import make_page

    made = make_page(request, context)
    if made.made:
        keep("drift_report_page", key, canonical_json(made), context, known.number)
    else:
        log.warning("%s drift_report: %s", request.pipeline, made.because)
    return made


def _champion(pipeline: str, version: int, context: Context) -> ChampionRef:
    for record in context.ledger.versions(pipeline):
        if record.version == version:
            return record.champion
    raise RequestError(
        "DRIFT-REPORT-CHAMPION",
        f"{pipeline} v{version}",
        "the ledger must know the champion that was monitored",
        "it does not",
        "Run the monitoring again from its beginning",
    )


def _window(pipeline: str, champion: ChampionRef, context: Context) -> tuple[Span, ...]:
    """The spans the champion was trained on, as far as the ledger knows them."""
    known: dict[str, Span] = {}
    for record in context.ledger.spans(pipeline):
        if record.digest is not None and record.digest not in known:
            known[record.digest] = Snapshot.model_validate(record.snapshot).span
    return tuple(known[digest] for digest in champion.window if digest in known)


def _logged(request: DriftReportRequest, evaluation: SpanEvaluation, context: Context) -> RunLog:
    return run_log(request, evaluation, _measured_at(request, evaluation, context))


def _measured_at(request: DriftReportRequest, evaluation: SpanEvaluation, context: Context) -> int:
    """When the span was first measured, in milliseconds since 1970: the same for every attempt."""
    champion, span = request.champion.run_key, evaluation.span.digest
    for record in context.ledger.monitorings(request.pipeline, champion):
        if record.span == span and record.at:
            return int(datetime.fromisoformat(record.at).timestamp() * 1000)
    return time.time_ns() // 1_000_000
