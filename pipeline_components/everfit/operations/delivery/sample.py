"""A pipeline on a sample of its source, in a home of its own, where nothing can be promoted.

The source is read, and nothing else of the installation is: store, ledger, MLflow and signing key
are new ones in a folder that is gone afterwards.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field

from everfit.contracts.base import Frozen
from everfit.contracts.errors import EXIT_RETRY, EverfitError, NothingToDo, SpecError
from everfit.contracts.messages.requests import (
    EvaluateResult,
    GateResult,
    PrepareResult,
)
from everfit.contracts.messages.steps import (
    Component,
    Order,
    Outcome,
    RunOptions,
    Trigger,
    find_summary,
)
from everfit.contracts.messages.summaries import GateSummary
from everfit.contracts.messages.verdicts import Check, Comparison
from everfit.contracts.settings import Settings
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.sources import Listing, list_spans
from everfit.data.sources.beside import list_with_tables
from everfit.data.sources.span_request import extract_request
from everfit.engine.context import Context, open_context
from everfit.engine.fingerprints import spec_digest
from everfit.engine.pipeline import run_pipeline

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Size:
    """How much of a source is looked at."""

    spans: int
    """The newest so many; as many more as the pipeline needs to train and judge at all."""
    rows: int
    """Of each span, about so many: those whose content, or entity, has the smallest digest."""


class Sampled(Frozen):
    """What came of one pipeline; what the comment is made of."""

    pipeline: str
    why: str = Field("", description="the changed file it was run for")
    verdict: str | None = Field(None, description="None: it came to none")
    because: str = ""
    against: str = Field("", description="what the candidate was compared with, in words")
    comparison: Comparison | None = None
    spans: tuple[str, ...] = ()
    rows_train: int = 0
    rows_holdout: int = 0
    not_passed: tuple[Check, ...] = ()
    flips: tuple[str, ...] = Field((), description="what would have changed the verdict")
    reports: dict[str, str] = Field(default_factory=dict, description="title → file in the folder")
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    problems: tuple[str, ...] = Field((), description="lines of what it failed with")
    exit_code: int = Field(0, description="0: done, whatever the verdict")


def sample(
    spec: PipelineSpec,
    settings: Settings,
    size: Size,
    folder: Path,
    before: PipelineSpec | None = None,
    why: str = "",
) -> Sampled:
    """Run one pipeline on a sample, and keep its reports.

    Parameters
    ----------
    spec : PipelineSpec
    settings : Settings
        Of the installation: where ``{data}`` is. Its other places are not touched.
    size : Size
    folder : Path
        Reports are written into a folder of the pipeline's name below it.
    before : PipelineSpec, optional
        The spec as it was: its model is the champion that the candidate is compared with.
    why : str
        Said with the result.
    """
    began = time.monotonic()
    try:
        with _home(settings) as context:
            found = _run(spec, context, size, folder, before)
    except NothingToDo as reason:
        found = Sampled(pipeline=spec.name, because=reason.line)
    except SpecError as error:
        found = _failed(spec.name, [f"SPEC {line}" for line in error.located], error)
    except EverfitError as error:
        found = _failed(spec.name, [error.line], error)
    except Exception as error:
        log.exception("sample of %s", spec.name)
        found = _failed(spec.name, [f"INTERNAL {type(error).__name__}: see the log."], error)
    return found.model_copy(update={"why": why, "seconds": round(time.monotonic() - began, 1)})


def _failed(name: str, lines: Sequence[str], error: Exception) -> Sampled:
    code = error.exit_code if isinstance(error, EverfitError) else EXIT_RETRY
    return Sampled(pipeline=name, problems=tuple(lines), exit_code=code)


@contextmanager
def _home(settings: Settings) -> Iterator[Context]:
    """Places that are there for this run alone."""
    with tempfile.TemporaryDirectory(prefix="everfit-sample-") as name:
        home = Path(name)
        places = {
            "home": home,
            "store": (home / "store").as_uri(),
            "ledger": f"sqlite:///{home / 'ledger.db'}",
            "mlflow": f"sqlite:///{home / 'mlflow.db'}",
            "mlflow_page": None,
            "signing_key": "",
            "verify_key": "",
        }
        with open_context(settings.model_copy(update=places)) as context:
            yield context


def _run(
    spec: PipelineSpec, context: Context, size: Size, folder: Path, before: PipelineSpec | None
) -> Sampled:
    if spec.images:
        raise NothingToDo(
            "SAMPLE-IMAGES", spec.name, "steps with images of their own are not run on a sample"
        )
    spans = max(size.spans, least_spans(spec))
    notes = [] if spans == size.spans else [f"{spans} spans, as it needs so many to judge at all."]
    context = replace(context, visible=lambda listing: _newest(listing, spans))
    if before is not None and spec_digest(before) == spec_digest(spec):
        notes.append("No value changed that a model or a verdict depends on.")
        before = None
    if before is not None:
        notes += _crown(before, context, size.rows)
        if not notes:
            notes.append("Champion v1 is the pipeline as it was before, on the same sample.")
    lay_in(spec, context, size.rows)
    outcomes = _chain(_observing(spec), context)
    return _told(spec, outcomes, context, folder).model_copy(update={"notes": tuple(notes)})


def least_spans(spec: PipelineSpec) -> int:
    """Fewer spans than this train and judge nothing."""
    return max(spec.window.min_spans, 1) + (spec.holdout.spans or 0) + spec.window.skip_recent


def _newest(listing: Listing, count: int) -> Listing:
    return replace(listing, spans=listing.spans[-count:])


def _observing(spec: PipelineSpec) -> PipelineSpec:
    return _gated(spec, "observe")


def _gated(spec: PipelineSpec, mode: str) -> PipelineSpec:
    gate = spec.gate.model_copy(update={"mode": mode, "approval": "none"})
    return spec.model_copy(update={"gate": gate})


def _crown(before: PipelineSpec, context: Context, rows: int) -> list[str]:
    """Have the spec as it was train the champion; says why where it did not come to one."""
    try:
        lay_in(before, context, rows)
        outcomes = _chain(_gated(before, "enforce"), context)
    except EverfitError as error:
        return [f"The pipeline as it was before gave no model to compare with: {error.line}"]
    gate = find_summary(outcomes, GateSummary)
    if gate is not None and gate.verdict == "promote":
        return []
    because = gate.because if gate else ""
    return [f"The pipeline as it was before gave no champion to compare with: {because}"]


def _chain(spec: PipelineSpec, context: Context) -> list[Outcome]:
    with tempfile.TemporaryDirectory(dir=context.scratch) as scratch:
        return run_pipeline(
            spec,
            replace(context, scratch=Path(scratch)),
            Trigger(reason="a sample"),
            RunOptions(force=True),
        )


def lay_in(spec: PipelineSpec, context: Context, rows: int) -> None:
    """Read the spans, and have the ledger know each by fewer rows: extract then finds those."""
    from everfit.operations.delivery.thin import thin
    from everfit.steps.extract.step import Extract

    listed = list_with_tables(spec, context.settings, context.visible)
    request = extract_request(spec, listed.listing.spans, listed.tables)
    if not request.spans:
        return  # plan says so, in its own words
    extract = Extract()
    result = extract.run(request, context)
    thinned = tuple(thin(snapshot, spec, rows, context) for snapshot in result.snapshots)
    extract.record(
        request,
        result.model_copy(update={"snapshots": thinned}),
        context,
        Order(component="extract", pipeline=spec),
    )


def _told(
    spec: PipelineSpec, outcomes: Sequence[Outcome], context: Context, folder: Path
) -> Sampled:
    """Read what the steps left, and keep the pages."""
    from everfit.steps.gate.report.report_document import flips

    by: dict[Component, Outcome] = {outcome.component: outcome for outcome in outcomes}
    decision = GateResult.model_validate_json(context.store.get(by["gate"].result))
    evaluated = EvaluateResult.model_validate_json(context.store.get(by["evaluate"].result))
    prepared = PrepareResult.model_validate_json(context.store.get(by["prepare"].result))
    target = folder / spec.name
    target.mkdir(parents=True, exist_ok=True)
    kept = {}
    for outcome in outcomes:
        for title, artifact in outcome.reports.items():
            (target / artifact.name).write_bytes(context.store.get(artifact.digest))
            kept[title.replace("_", " ")] = f"{spec.name}/{artifact.name}"
    document = target / decision.report_json.name
    document.write_bytes(context.store.get(decision.report_json.digest))
    listing = context.visible(list_spans(spec.source, context.settings))
    against = evaluated.baseline
    return Sampled(
        pipeline=spec.name,
        verdict=decision.verdict,
        because=decision.because,
        against=(
            "the pipeline as it was before"
            if against.startswith("champion")
            else f"the baseline {against}"
        ),
        comparison=evaluated.comparison,
        spans=tuple(ref.name for ref in listing.spans),
        rows_train=prepared.rows_train,
        rows_holdout=prepared.rows_holdout,
        not_passed=tuple(c for c in decision.checks if c.state in ("failed", "not_assessed")),
        flips=tuple(flips(decision.verdict, decision.checks)),
        reports=kept,
    )
