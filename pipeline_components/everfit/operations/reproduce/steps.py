"""Each step of a rebuild, compared with the record."""

from __future__ import annotations

from pathlib import Path

from everfit.contracts import wording
from everfit.contracts.errors import IntegrityError, shortlist
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.planning import PlanResult
from everfit.contracts.messages.requests import PrepareResult, ValidateResult
from everfit.contracts.messages.statistics import SpanStatistics
from everfit.contracts.messages.training import TrainResult
from everfit.operations.reproduce.answer import NEAR, Apart, RebuildStep, StepName
from everfit.operations.reproduce.recorded_run import Rebuild
from everfit.storage.store import blob_key


def snapshots(work: Rebuild) -> RebuildStep:
    """The lineage begins here: nothing else stands for a span that is lost."""
    spans = (*work.dossier.request.window, *work.dossier.request.holdout)
    scratch = work.context.scratch / "snapshots"
    scratch.mkdir()
    for number, span in enumerate(spans):
        try:
            path = work.real.local(span.digest, scratch)
        except IntegrityError as error:
            altered = error.code == "STORE-ALTERED"
            raise IntegrityError(
                "REPRODUCE-SNAPSHOT",
                f"{work.called} span {span.name}",
                f"the store must hold its snapshot of digest {span.digest[:12]}",
                "its bytes are altered, and nothing was made of them"
                if altered
                else "it is not there",
                f"Put {blob_key(span.digest)} back from a backup of {work.real.url}",
            ) from error
        if path.is_relative_to(scratch):
            path.unlink()
        work.context.progress.update("verifying snapshots", number + 1, len(spans))
    rows = sum(span.rows for span in spans)
    return RebuildStep(
        name="snapshots",
        state="same",
        told=f"{len(spans)} spans with {rows:,} rows have the recorded digests",
    )


def columns(work: Rebuild) -> RebuildStep:
    """Statistics of the spans read again, and the columns that follow from them."""
    from everfit.ml.profiles.cache import statistics_of_spans
    from everfit.ml.profiles.unify_columns import unify_columns

    plan = work.document("plan", PlanResult)
    validated = work.document("validate", ValidateResult)
    spans = (*validated.window, *validated.holdout)
    statistics, artifacts = statistics_of_spans(work.context, spans)
    known = {span.name: value for span, value in zip(spans, statistics, strict=True)}
    bad = {span.name for span in validated.quarantined}
    for name, artifact in validated.statistics.items():
        if name not in known and name not in bad:  # good, and used for its columns alone
            known[name] = SpanStatistics.model_validate_json(work.real.get(artifact.digest))
    order = [ref.name for ref in (*plan.window, *plan.holdout) if ref.name in known]
    types = dict(unify_columns(known[name] for name in order))
    recorded = validated.columns
    if types != recorded:
        names = sorted(recorded.keys() | types.keys())
        lines = tuple(
            f"column {name}: {types.get(name, 'absent')}, "
            f"recorded is {recorded.get(name, 'absent')}"
            for name in names
            if types.get(name) != recorded.get(name)
        )
        return RebuildStep(
            name="columns",
            state="differs",
            told=f"{len(lines)} of {len(names)} have another type: {shortlist(lines, 3, '; ')}",
            differs=lines,
        )
    other = tuple(
        f"statistics of {span.name}: {artifact.digest[:12]}, recorded are "
        f"{validated.statistics[span.name].digest[:12]}"
        for span, artifact in zip(spans, artifacts, strict=True)
        if artifact.digest != validated.statistics[span.name].digest
    )
    told = f"{len(types)} columns have the recorded types"
    if other:
        told += f"; the statistics of {len(other)} spans differ, which no model reads"
    return RebuildStep(name="columns", state="equal" if other else "same", told=told, differs=other)


def tables(work: Rebuild, again: PrepareResult) -> list[RebuildStep]:
    """Both tables, and whatever else prepare says of them."""
    recorded = work.recorded
    said = [
        f"{what}: {now}, recorded is {then}"
        for what, now, then in (
            ("classes", again.classes, recorded.classes),
            ("rows left out", again.dropped, recorded.dropped),
            ("columns", _roles(again), _roles(recorded)),
            ("split proof", again.proof.digest[:12], recorded.proof.digest[:12]),
        )
        if now != then
    ]
    steps = []
    for name, now, then, rows in (
        ("training table", again.train, recorded.train, again.rows_train),
        ("holdout table", again.holdout, recorded.holdout, again.rows_holdout),
    ):
        lines = _table_lines(work, now, then)
        more = said if name == "training table" else []
        if now.digest == then.digest and not more:
            state, told = "same", f"{rows:,} rows, {now.size:,} bytes, digest {now.digest[:12]}"
        elif now.digest != then.digest and not lines and not more:
            state, told = "equal", f"the same {rows:,} rows and values in other bytes"
        else:
            lines += more
            state, told = "differs", shortlist(lines, 3, "; ")
        steps.append(
            RebuildStep.model_validate(
                {"name": name, "state": state, "told": told, "differs": tuple(lines)}
            )
        )
    return steps


def _roles(result: PrepareResult) -> str:
    return ", ".join(f"{c.name} {c.type} {c.role}" for c in result.columns)


def _table_lines(work: Rebuild, now: Artifact, then: Artifact) -> list[str]:
    if now.digest == then.digest:
        return []
    from everfit.operations.reproduce.compare_tables import table_differences

    scratch = work.context.scratch / now.name.partition(".")[0]
    scratch.mkdir()
    found = work.context.store.local(now.digest, scratch)
    try:
        recorded: Path = work.real.local(then.digest, scratch)
    except IntegrityError:
        return [f"digest {now.digest[:12]}, recorded is {then.digest[:12]}, whose bytes are lost"]
    return list(table_differences(recorded, found))


def apart_from(work: Rebuild, trained: TrainResult) -> Apart | None:
    """How far the predictions are apart, where the bytes differ."""
    if trained.model.digest == work.dossier.request.evaluated.candidate.model.digest:
        return None
    from everfit.operations.reproduce.compare_models import predictions_apart

    scratch = work.context.scratch / f"compared-{trained.model.digest[:12]}"
    scratch.mkdir()
    return predictions_apart(work.dossier, trained, work.context.store, work.real, scratch)


def model(
    name: StepName, recorded: TrainResult, found: TrainResult, apart: Apart | None
) -> RebuildStep:
    """The model's bytes, and where they differ what train says of it."""
    if found.model.digest == recorded.model.digest:
        told = f"{found.model.name}, {found.model.size:,} bytes, digest {found.model.digest[:12]}"
        return RebuildStep(name=name, state="same", told=told)
    lines = [
        f"bytes: {found.model.size:,} of digest {found.model.digest[:12]}, recorded are "
        f"{recorded.model.size:,} of {recorded.model.digest[:12]}"
    ]
    if found.params != recorded.params:
        lines.append(f"parameters: {found.params}, recorded are {recorded.params}")
    if found.cv_score != recorded.cv_score:
        lines.append(
            f"cross-validated score: {found.cv_score!r}, recorded is {recorded.cv_score!r}"
        )
    if found.rows != recorded.rows:
        lines.append(f"rows: {found.rows:,}, recorded are {recorded.rows:,}")
    if apart is not None:
        lines.append(
            f"predictions: up to {wording.number(apart.absolute)} apart over {apart.rows:,} rows "
            f"of the {apart.of}, {wording.number(apart.relative)} of the largest"
        )
    near = apart is not None and apart.relative <= NEAR
    return RebuildStep(
        name=name,
        state="equal" if near else "differs",
        told=shortlist(lines, 3, "; "),
        differs=tuple(lines),
    )
