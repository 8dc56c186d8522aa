"""What the champion was trained on, read from its training table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline_components.context import Context
from pipeline_components.contracts.errors import IntegrityError
from pipeline_components.contracts.requests import PrepareRequest
from pipeline_components.table.entity_digests import entity_kinds, read_entities
from pipeline_components.table.frames import ROW

from .read_spans import ARROW

if TYPE_CHECKING:
    from .split import Seen


def champion_seen(request: PrepareRequest, context: Context) -> Seen | None:
    """Digests of the rows and entities the champion saw.

    Returns
    -------
    Seen or None
        None where there is no champion, or where its table is gone or damaged: the gate then
        finds that nothing is known of it, and holds. Its entities are None where its table
        lacks their columns or has them in another kind, so that no value can be found again.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from .split import Seen

    if request.champion_train is None:
        return None
    try:
        path = context.store.local(request.champion_train.digest, context.scratch)
        rows = pq.read_table(path, columns=[ROW]).column(ROW).to_numpy()
        known = entity_kinds(pq.read_schema(path), request.entity)
    except (IntegrityError, pa.ArrowInvalid, KeyError):
        return None
    kinds = {name: request.columns[name] for name in request.entity if name in request.columns}
    here = pa.schema([(name, ARROW[kind]) for name, kind in kinds.items()])
    same = len(known) == len(request.entity) and known == entity_kinds(here, request.entity)
    return Seen(rows, read_entities(path, request.entity) if same else None)
