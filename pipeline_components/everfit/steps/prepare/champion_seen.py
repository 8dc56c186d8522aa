"""What the champion was trained on, read from its training table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everfit.contracts.errors import IntegrityError
from everfit.contracts.messages.requests import PrepareRequest
from everfit.data.tables.entity_digests import column_kinds, read_entities, read_keys
from everfit.data.tables.frames import ROW
from everfit.engine.context import Context
from everfit.steps.prepare.read_spans import ARROW

if TYPE_CHECKING:
    from everfit.steps.prepare.split import Seen


def champion_seen(request: PrepareRequest, context: Context) -> Seen | None:
    """Digests of the rows and entities the champion saw.

    Returns
    -------
    Seen or None
        None where there is no champion, or where its table is gone or damaged: the gate then
        finds that nothing is known of it, and holds. Its entities or keys are None where its
        table lacks their columns or has them in another kind, so that no value can be found again.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from everfit.steps.prepare.split import Seen

    if request.champion_train is None:
        return None
    try:
        path = context.store.local(request.champion_train.digest, context.scratch)
        rows = pq.read_table(path, columns=[ROW]).column(ROW).to_numpy()
        schema = pq.read_schema(path)
    except (IntegrityError, pa.ArrowInvalid, KeyError):
        return None
    here = pa.schema([(name, ARROW[kind]) for name, kind in request.columns.items()])

    def comparable(columns: tuple[str, ...]) -> bool:
        kinds = column_kinds(schema, columns)
        return len(kinds) == len(columns) and kinds == column_kinds(here, columns)

    return Seen(
        rows,
        read_entities(path, request.entity) if comparable(request.entity) else None,
        read_keys(path, request.key) if comparable(request.key) else None,
    )
