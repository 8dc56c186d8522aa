"""Whether a version could serve today: its bytes, its types, its libraries, its columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from everfit.champion.version.signing import verified
from everfit.contracts.errors import IntegrityError, UserError, shortlist
from everfit.contracts.messages.dossier import Dossier
from everfit.contracts.messages.spans import Snapshot, Span
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.rules import rules_digest
from everfit.engine.context import Context
from everfit.engine.fingerprints import environment_digest
from everfit.storage.ledger.records import VersionRecord

NUMBERS = frozenset({"integer", "float", "boolean"})


def check_servable(spec: PipelineSpec, record: VersionRecord, context: Context) -> str:
    """Make sure that a version can be loaded and finds its columns in the data of today.

    Parameters
    ----------
    record : VersionRecord
        Number 0: a run that has no version yet.

    Returns
    -------
    str
        A sentence on its libraries.

    Raises
    ------
    IntegrityError
        If its record is not what was signed, its bytes are missing or altered, or they hold a type
        on no list of ours.
    UserError
        If its libraries are neither here nor to be had, a column it reads is gone, or one holds
        text where it was trained on numbers.
    """
    from everfit.ml.model import load_model

    where = f"{spec.name} v{record.version}"
    if record.version:
        verified(record, spec.name, context)
    else:
        where = f"{spec.name} run {record.run_key[:12]}"
    if record.version:
        verified(record, spec.name, context)
    estimators = tuple(f.estimator for f in spec.train.families if f.estimator)
    model = load_model(context.store, record.champion.model, context.scratch, estimators)
    span, columns = current_columns(spec, context)
    known: Mapping[str, str] = getattr(model.steps[0][1], "columns", None) or {}
    trained = record.champion.signature or known
    check_columns(where, record.champion.features, trained, columns, span)
    return libraries(where, record, context)


def libraries(where: str, record: VersionRecord, context: Context) -> str:
    """What is to be said of the libraries a version was made with.

    Raises
    ------
    UserError
        If one differs here and cannot be had.
    """
    from everfit.champion.environment import check_environment, distributions_of, pins

    if record.dossier is not None:
        dossier = Dossier.model_validate_json(context.store.get(record.dossier))
        needed = distributions_of(context.store.get(record.champion.model.digest))
        locked = pins(context.store.get(dossier.lock.digest).decode())
        more = {name: locked[name] for name in needed if name in locked}
        return check_environment(where, dossier.environment, more)
    run = context.ledger.run(record.run_key)
    if run is not None and run.environment == environment_digest():
        return "its libraries are those installed here"
    return "the libraries it was made with were not recorded; it loads with those installed here"


def check_columns(
    where: str,
    features: tuple[str, ...],
    trained: Mapping[str, str],
    columns: Mapping[str, str],
    today: str,
) -> None:
    """Hold the columns a model reads against those there are.

    Parameters
    ----------
    features : tuple of str
        What the model reads.
    trained : mapping
        Column → type in training, where known.
    columns : mapping
        Column → type today. Empty where nothing is known, and then nothing can be missing.
    today : str
        What to call the data of today.

    Raises
    ------
    UserError
        If a column is gone, or holds text where there were numbers: the model would take every
        value for missing and predict on.
    """
    absent = [name for name in features if name not in columns] if columns else []
    texts = [
        name for name in features if columns.get(name) == "string" and trained.get(name) in NUMBERS
    ]
    if not absent and not texts:
        return
    told = [f"{shortlist(absent)} not there"] if absent else []
    told += [f"{shortlist(texts)} holding text, not numbers"] if texts else []
    raise UserError(
        "CHAMPION-COLUMNS",
        where,
        f"every column its model reads must be in {today}",
        " and ".join(told),
        "Choose a version that reads other columns, or correct the source",
    )


def current_columns(spec: PipelineSpec, context: Context) -> tuple[str, dict[str, str]]:
    """The columns of the newest good span and of the reviewed schema, and what to call them."""
    reviewed = dict(spec.curated.columns) if spec.curated else {}
    columns: dict[str, str] = {name: column.type for name, column in reviewed.items()}
    span = newest_span(spec, context)
    if span is None:
        return "the reviewed schema", columns
    try:
        return span.name, columns | _types_of(context.store.local(span.digest, context.scratch))
    except IntegrityError as error:
        if columns:  # the schema alone can tell; `everfit reconcile` names the lost span
            return "the reviewed schema", columns
        raise error


def newest_span(spec: PipelineSpec, context: Context) -> Span | None:
    """The last good span by its period or times; by arrival where it has neither."""
    bad = context.ledger.quarantined(spec.name, rules_digest(spec))
    spans = [
        Snapshot.model_validate(record.snapshot).span
        for record in context.ledger.spans(spec.name)
        if record.snapshot is not None and record.digest not in bad
    ]
    return max(
        reversed(spans), key=lambda span: span.period_start or span.time_max or "", default=None
    )


def _types_of(path: Any) -> dict[str, str]:
    """Column → our name of its type, from the file's footer alone."""
    import pyarrow.parquet as pq

    from everfit.data.tables.column_types import normal_type, type_name

    found = {}
    for field in pq.read_schema(path):
        kind = normal_type(field.type)
        if kind is not None:
            found[str(field.name)] = type_name(kind)
    return found
