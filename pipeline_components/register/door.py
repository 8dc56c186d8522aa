"""Register's door: log the run in MLflow, and register and promote where the ledger says so."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath

from pipeline_components.context import Context
from pipeline_components.contracts.artifacts import Artifact
from pipeline_components.contracts.base import canonical_json, digest_of
from pipeline_components.contracts.errors import IntegrityError, RequestError
from pipeline_components.contracts.planning import PlanResult
from pipeline_components.contracts.requests import (
    EvaluateResult,
    GateResult,
    PrepareResult,
    RegisterRequest,
    RegisterResult,
    ValidateResult,
)
from pipeline_components.contracts.steps import News, Order
from pipeline_components.door import Telling, Upstream
from pipeline_components.identity import environment
from pipeline_components.ledger.records import VersionRecord
from pipeline_components.register.model_folder import model_folder
from pipeline_components.register.promotion import project_alias, promote, register_version
from pipeline_components.register.run_log import run_log
from pipeline_components.registry import open_registry, run_page

log = logging.getLogger(__name__)

RESULT = RegisterResult
CACHED = False


def request(order: Order, upstream: Upstream, context: Context) -> RegisterRequest:
    """Gather the run; what the ledger has already decided about it counts."""
    planned = upstream.one("plan", PlanResult)
    validated = upstream.one("validate", ValidateResult)
    return RegisterRequest(
        run_key=validated.run_key,
        spec=order.wished,
        champion=upstream.champion(validated.run_key),
        window=validated.window,
        holdout=validated.holdout,
        prepared=upstream.one("prepare", PrepareResult),
        evaluated=upstream.one("evaluate", EvaluateResult),
        decision=_decision(upstream.one("gate", GateResult), validated.run_key, context),
        data_report=validated.report,
        code=planned.code,
        environment=planned.environment,
    )


def run(request: RegisterRequest, context: Context) -> RegisterResult:
    """Make MLflow and the journal say what was decided; a second time changes nothing."""
    pipeline, candidate = request.spec.name, request.evaluated.candidate
    ledger = context.ledger
    recorded = ledger.version(request.run_key)
    if recorded and recorded.champion.model.digest != candidate.model.digest:
        raise IntegrityError(
            "REGISTER-MODEL",
            f"{pipeline} run {request.run_key[:12]}",
            "one run has one model",
            f"version {recorded.version} is registered with {recorded.champion.model.digest[:12]}, "
            f"and this attempt trained {candidate.model.digest[:12]}",
            "Look for a source of randomness in the pipeline's own estimators",
        )
    began = _began(request, context)
    card = context.store.get(request.evaluated.card.digest)
    logged = run_log(request, began, card.decode())
    superseded, made = False, recorded is None
    with open_registry(context.settings, pipeline) as registry:
        context.progress.update("register", 0, 3)
        place = registry.ensure_run(
            logged,
            lambda run: dict(_files(request, run, began, card, context)),
            known=recorded.mlflow_run if recorded else None,
        )
        context.progress.update("register", 1, 3)
        if request.decision.verdict == "promote":
            tags = {key: value for key, value in logged.tags.items() if key.startswith("everfit.")}
            recorded = register_version(request, place.run, tags, ledger, registry)
            entry = promote(request, recorded.version, ledger)
            superseded = entry is None
            state = {"everfit.promotion": str(entry.sequence) if entry else "superseded"}
            registry.tag_version(pipeline, recorded.version, state)
        context.progress.update("register", 2, 3)
        served = registry.alias(pipeline)
        champion = project_alias(pipeline, ledger, registry)
        context.progress.update("register", 3, 3)
    if superseded:
        log.warning(
            "%s: another run was promoted meanwhile; version %s stays a challenger",
            pipeline, recorded.version if recorded else None,
        )  # fmt: skip
    return RegisterResult(
        mlflow_run=place.run,
        mlflow_experiment=place.experiment,
        version=recorded.version if recorded else None,
        champion=champion,
        superseded=superseded,
        changed=_changed(recorded, made, superseded, served, champion),
        because=request.decision.because,
        model=candidate.model,
    )


def settle(
    request: RegisterRequest, result: RegisterResult, context: Context, order: Order
) -> None:
    """Nothing is left: every effect has its own place in ``run``, in an order that can be cut."""


def tell(result: RegisterResult, context: Context) -> Telling:
    """Say which version serves now, and where the run is to be seen."""
    page = run_page(context.settings, result.mlflow_experiment, result.mlflow_run)
    return Telling(
        summary={
            "version": result.version,
            "champion": result.champion,
            "mlflow_run": result.mlflow_run,
            "superseded": result.superseded,
        },
        links={"mlflow_run": page} if page else {},
        news=_news(result),
    )


def _changed(
    recorded: VersionRecord | None, made: bool, superseded: bool, served: int | None,
    champion: int | None,
) -> bool:  # fmt: skip
    """Whether this attempt made a champion, or a version that came too late to be one.

    The alias is set last, so an attempt that died before it leaves the news to the next.
    """
    if recorded is None:
        return False
    return made if superseded else champion == recorded.version and served != champion


def _news(result: RegisterResult) -> tuple[News, ...]:
    if not result.changed:
        return ()
    if result.superseded:
        what = f"version {result.version} stays a challenger"
        why = f"Another run was promoted meanwhile. What the gate said: {result.because}"
        return (News(kind="held", what=what, why=why, report="decision_report"),)
    what = f"version {result.version} is the champion"
    return (News(kind="promoted", what=what, why=result.because, report="decision_report"),)


def _decision(decision: GateResult, run_key: str, context: Context) -> GateResult:
    """The decision on record, which is this one or an earlier attempt's."""
    verdict = context.ledger.verdict(run_key)
    if verdict is None:
        raise RequestError(
            "REGISTER-VERDICT",
            f"{run_key[:12]}",
            "a run is registered on the verdict the ledger records",
            "there is none",
            "Run the gate first",
        )
    if verdict.decision == digest_of(decision):
        return decision
    log.warning("run %s was judged before; the earlier decision counts", run_key[:12])
    return GateResult.model_validate_json(context.store.get(verdict.decision))


def _began(request: RegisterRequest, context: Context) -> int:
    """When the run was opened, in milliseconds since 1970; the same for every attempt."""
    run = context.ledger.run(request.run_key)
    if run is None or not run.at:
        return time.time_ns() // 1_000_000
    return int(datetime.fromisoformat(run.at).timestamp() * 1000)


def _files(
    request: RegisterRequest, run: str, began: int, card: bytes, context: Context
) -> Iterator[tuple[str, bytes | Path]]:
    """Everything kept with the run: model, reports, pictures, lineage."""
    candidate = request.evaluated.candidate

    def local(artifact: Artifact) -> Path:
        return context.store.local(artifact.digest, context.scratch)

    folder = model_folder(
        local(candidate.model),
        candidate,
        request.prepared.columns,
        _integers_with_nulls(local(request.evaluated.sample)),
        run=run,
        began=began,
    )
    for name, content in folder.items():
        yield f"model/{name}", content
    for plot in request.evaluated.plots:
        yield f"plots/{_file_name(plot)}", local(plot)
    reports = [request.decision.report_html, request.decision.report_json]
    if request.data_report is not None:
        reports.append(request.data_report)
    for report in reports:
        yield f"reports/{_file_name(report)}", local(report)
    yield "model_card.md", card
    yield "lineage.json", lineage(request)


def lineage(request: RegisterRequest) -> bytes:
    """What the run was made from, whole, as canonical JSON."""
    return canonical_json(
        {
            "run_key": request.run_key,
            "spec": request.spec.model_dump(mode="json"),
            "window": [span.model_dump(mode="json") for span in request.window],
            "holdout": [span.model_dump(mode="json") for span in request.holdout],
            "train": request.prepared.train.model_dump(mode="json"),
            "held_out": request.prepared.holdout.model_dump(mode="json"),
            "model": request.evaluated.candidate.model.model_dump(mode="json"),
            "champion": request.champion.model_dump(mode="json") if request.champion else None,
            "code": request.code,
            "environment": request.environment,
            "versions": environment(),
        }
    )


def _integers_with_nulls(sample: Path) -> frozenset[str]:
    """Columns of the sample with a missing value, from the file's footer alone."""
    from pyarrow import parquet

    footer = parquet.read_metadata(sample)
    found = set()
    for group in range(footer.num_row_groups):
        for number in range(footer.num_columns):
            chunk = footer.row_group(group).column(number)
            if chunk.physical_type in ("INT32", "INT64", "DOUBLE", "FLOAT"):
                statistics = chunk.statistics
                if statistics is None or statistics.null_count:
                    found.add(chunk.path_in_schema)
    return frozenset(found)


def _file_name(artifact: Artifact) -> str:
    return PurePosixPath(artifact.name).name
