"""A judged run in MLflow and, where the verdict says so, as a version and the champion."""

from __future__ import annotations

from dataclasses import dataclass

from everfit.champion.promotion import Awaits, intended, make_version, settled
from everfit.champion.version.dossier import store_dossier
from everfit.champion.version.made_with import made_here
from everfit.champion.version.report.card import judged_card
from everfit.champion.version.run_files import began, run_files, trained_families
from everfit.champion.version.run_log import run_log
from everfit.contracts.errors import IntegrityError
from everfit.contracts.messages.requests import RegisterRequest
from everfit.engine.context import Context
from everfit.storage.ledger.records import VersionRecord
from everfit.storage.mlflow import Registry

PARTS = 3
"""Of the work, for progress: the run, the version, the alias."""


@dataclass(frozen=True)
class Registered:
    """What MLflow and the ledger now say of a run."""

    request: RegisterRequest
    mlflow_run: str
    mlflow_experiment: str
    opened: int
    """When the run was opened, in milliseconds since 1970, UTC."""
    version: VersionRecord | None = None
    """None where the verdict was not to promote."""
    made: bool = False
    """Whether this attempt made the version."""
    superseded: bool = False
    """Another run was promoted meanwhile: the version stays a challenger."""
    awaits: Awaits = ""


def register_run(request: RegisterRequest, context: Context, registry: Registry) -> Registered:
    """Make MLflow and the journal say what was decided; a second time changes nothing.

    Every effect has its place here, in an order that may be cut anywhere.

    Raises
    ------
    IntegrityError
        If the run has a version already, of another model.
    """
    pipeline, candidate = request.spec.name, request.evaluated.candidate
    recorded = context.ledger.version(request.run_key)
    if recorded and recorded.champion.model.digest != candidate.model.digest:
        raise IntegrityError(
            "REGISTER-MODEL",
            f"{pipeline} run {request.run_key[:12]}",
            "one run has one model",
            f"version {recorded.version} is registered with "
            f"{recorded.champion.model.digest[:12]}, "
            f"and this attempt trained {candidate.model.digest[:12]}",
            "Look for unseeded randomness in the pipeline's own estimators",
        )
    dossier = recorded.dossier if recorded else store_dossier(request, context)
    opened = began(request, context)
    card = judged_card(request, opened, context)
    logged = run_log(request, opened, card[0], trained_families(request, context))
    context.progress.update("register", 0, PARTS)
    place = registry.ensure_run(
        logged,
        lambda run: dict(run_files(request, run, opened, made_here(), card, context)),
        known=recorded.mlflow_run if recorded else None,
    )
    context.progress.update("register", 1, PARTS)
    if request.decision.verdict != "promote":
        return Registered(request, place.run, place.experiment, opened)
    tags = {key: value for key, value in logged.tags.items() if key.startswith("everfit.")}
    version = make_version(intended(request, tags, dossier), place.run, context, registry)
    state = settled(request, version, context)
    registry.tag_version(pipeline, version.version, state.tags)
    context.progress.update("register", 2, PARTS)
    return Registered(
        request,
        place.run,
        place.experiment,
        opened,
        version,
        made=recorded is None,
        superseded=state.superseded,
        awaits=state.awaits,
    )
