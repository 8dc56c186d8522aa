"""Score spans: read, predict in batches, publish each span's predictions once for a version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow.parquet as pq

from everfit.champion.servable import check_columns
from everfit.contracts.base import digest_of
from everfit.contracts.clock import iso
from everfit.contracts.errors import CredentialsError, IntegrityError, SourceError, UserError
from everfit.contracts.messages.scoring import ScoredSpan
from everfit.contracts.messages.spans import Snapshot, SpanRef
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.score import SpanCount
from everfit.data.sources import SpanRefused, open_source
from everfit.data.tables.column_types import type_name
from everfit.engine.context import Context
from everfit.ml.profiles.cache import remove_copy
from everfit.steps.score.destination import Destination, Form, Receipt, open_destination
from everfit.steps.score.model import Missed, ScoringModel
from everfit.steps.score.read_input import Input, Reader, open_input
from everfit.steps.score.version import CHAMPION, Versions
from everfit.steps.score.write import Rows, key_columns, table_schema, writer

BATCH_ROWS = 65_536
"""Rows in memory at a time."""


@dataclass(frozen=True)
class _Job:
    """What is the same for every span of one call."""

    spec: PipelineSpec
    context: Context
    versions: Versions
    source: Input
    destination: Destination
    single: str | None
    form: Form
    keys: tuple[str, ...]

    def reader(self, model: ScoringModel) -> Reader:
        """What reads spans for a model."""
        return Reader(self.spec, self.source, model.columns, self.keys)

    def name(self, ref: SpanRef, version: int) -> str:
        """What a span's predictions are called at the destination."""
        return self.single or self.destination.name(ref.name, version, self.form)


def score(
    spec: PipelineSpec,
    context: Context,
    output: str,
    *,
    input: str | None = None,
    version: str = CHAMPION,
    as_of: datetime | str | None = None,
    spans: SpanCount = "all",
) -> list[ScoredSpan]:
    """Score every span of an input that is not scored by its version yet.

    Parameters
    ----------
    spec : PipelineSpec
    context : Context
    output : str
        See ``open_destination``.
    input : str, optional
        See ``open_input``; default the pipeline's own source.
    version : str
        ``champion``, ``challenger`` or a number.
    as_of : datetime or "span", optional
        The champion of then, or each span's by its own end.
    spans : int or "all"
        The newest so many.

    Returns
    -------
    list of ScoredSpan
        In the source's order. A span that cannot be scored stops none of the others.

    Raises
    ------
    UserError
        If there is no such version, no span, or nothing can be written to the output.
    IntegrityError
        If the journal, the version's record or its model is not as it was written.
    Unavailable
        If a service does not answer; what was published stays.
    """
    versions = Versions(spec, context, version, as_of)
    source = open_input(spec, input, context)
    destination, single, form = open_destination(output, context.settings)
    job = _Job(spec, context, versions, source, destination, single, form, key_columns(spec))
    refs = _listed(job)
    refs = refs if spans == "all" else refs[-spans:]
    return [_one(ref, job, number, len(refs)) for number, ref in enumerate(refs)]


def _listed(job: _Job) -> tuple[SpanRef, ...]:
    source = job.source.open(job.source.spec)
    for read in (source, open_source(job.spec.source, job.context.settings)):
        job.destination.refuse_input(read, job.single)
    listing = source.list()
    if not listing.spans:
        raise SourceError(
            "SOURCE-EMPTY",
            job.spec.name,
            "the source must have a span",
            listing.empty,
            "Correct --input, or source.uri in the spec",
        )
    if job.single is not None and len(listing.spans) > 1:
        raise UserError(
            "SCORE-OUTPUT",
            "--output",
            "a file takes the predictions of one span",
            f"there are {len(listing.spans)} in the input",
            "Name a folder: each span has a file of its own there",
        )
    return listing.spans


def _one(ref: SpanRef, job: _Job, number: int, total: int) -> ScoredSpan:
    def report(share: float) -> None:
        job.context.progress.update("scoring", number + share, total)

    try:
        return _scored(ref, job, report)
    except (IntegrityError, CredentialsError):
        raise
    except UserError as error:
        retry = isinstance(error, SpanRefused) and error.retry
        return ScoredSpan(span=ref.name, state="refused", refusal=error.line, retry=retry)
    finally:
        report(1.0)


def _scored(ref: SpanRef, job: _Job, report: Callable[[float], None]) -> ScoredSpan:
    versions, context = job.versions, job.context
    end = ref.period_end
    if versions.fixed is None and end is None:
        reader = job.reader(versions.model(versions.current()))
        end = reader.snapshot(ref, context, lambda share: report(0.3 * share)).span.time_max
    record = versions.of_span(ref.name, end)
    model = versions.model(record)
    reader, name = job.reader(model), job.name(ref, record.version)
    asked = digest_of({"reader": reader.digest, "keys": job.keys, "form": job.form})
    known = job.destination.receipt(name)
    if known is not None and (known.run_key, known.asked) != (record.run_key, asked):
        known = None
    if known is not None and not _is_whole(known, job.destination, name):
        known = None
    source = reader.place_of(ref)
    if known is not None and known.source == source and known.fingerprint == ref.fingerprint != "":
        return _result(known, job.destination, name, "already")
    snapshot = reader.snapshot(ref, context, lambda share: report(0.5 * share))
    if known is not None and known.digest == snapshot.span.digest:
        return _result(known, job.destination, name, "already")
    job.destination.refuse_others(name, job.spec.name, source if job.single is None else None)
    receipt = Receipt(
        pipeline=job.spec.name,
        version=record.version,
        run_key=record.run_key,
        span=ref.name,
        source=source,
        digest=snapshot.span.digest,
        fingerprint=ref.fingerprint,
        asked=asked,
    )
    done = _publish(job, model, snapshot, receipt, name, lambda share: report(0.5 + 0.5 * share))
    return _result(done, job.destination, name, "scored")


def _is_whole(receipt: Receipt, destination: Destination, name: str) -> bool:
    """Whether the file is there, and the one that the receipt speaks of."""
    return receipt.state != "" and receipt.state == destination.state(name)


def _publish(
    job: _Job,
    model: ScoringModel,
    snapshot: Snapshot,
    receipt: Receipt,
    name: str,
    report: Callable[[float], None],
) -> Receipt:
    """Write the predictions aside, have them appear, and say so."""
    destination, context, spec = job.destination, job.context, job.spec
    span = snapshot.span
    missed, scored_at = Missed(), context.clock()
    path = context.store.local(span.digest, context.scratch)
    staged = destination.staged(name, context.scratch)
    try:
        with pq.ParquetFile(path) as file:
            there = file.schema_arrow
            types = {field.name: type_name(field.type) for field in there}
            check_columns(model.name, tuple(model.columns), {}, types, span.name)
            keys = {key: there.field(key).type for key in job.keys if key in there.names}
            named = spec.key or spec.monitor.predictions
            schema = table_schema(keys, model.answers, numbered=not named)
            rows = Rows(schema, receipt.version, scored_at, span.name)
            done = 0
            with writer(staged, schema, job.form) as out:
                for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
                    answers = model.answer(batch, missed)
                    kept = [batch.column(key) for key in keys]
                    out.write_batch(rows.batch(kept, answers, batch.num_rows))
                    done += batch.num_rows
                    report(done / span.rows)
        _refuse_useless(model, missed, span.name)
        counted = {
            "rows": done,
            "scored_at": iso(scored_at),
            **_counted(job, model, missed, snapshot),
        }
        return destination.publish(staged, name, receipt.model_copy(update=counted))
    finally:
        staged.unlink(missing_ok=True)
        remove_copy(path, context)


def _counted(job: _Job, model: ScoringModel, missed: Missed, snapshot: Snapshot) -> dict[str, Any]:
    """What could not be used, as a receipt has it."""
    unreadable = Counter({n: k for n, k in missed.unreadable.items() if k})
    for reading in snapshot.readings:
        if reading.kind == "unreadable" and reading.column in model.columns:
            unreadable[reading.column] += reading.odd - reading.blank
    return {
        "unscored": missed.unscored,
        "unreadable": dict(sorted((+unreadable).items())),
        "unseen": dict(sorted((+missed.unseen).items())),
        "notes": (*job.source.notes, *snapshot.notes),
    }


def _refuse_useless(model: ScoringModel, missed: Missed, span: str) -> None:
    """A column without one readable value: the model would take every cell for missing.

    Raises
    ------
    UserError
        ``CHAMPION-COLUMNS``, with the columns.
    """
    texts = dict.fromkeys(missed.useless, "string")
    check_columns(model.name, tuple(texts), dict.fromkeys(texts, "float"), texts, span)


def _result(
    receipt: Receipt,
    destination: Destination,
    name: str,
    state: Literal["scored", "already"],
) -> ScoredSpan:
    return ScoredSpan(
        state=state,
        output=destination.where(name),
        **receipt.model_dump(
            include={"span", "version", "rows", "unscored", "unreadable", "unseen", "notes"}
        ),
    )
