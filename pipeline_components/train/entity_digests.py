"""Who each training row is about, as one number."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline_components.table.frames import ROW
from pipeline_components.table.row_digests import Hashes, row_digests, scatter


def entity_digests(path: Path, entity: tuple[str, ...]) -> Hashes | None:
    """Digest the entity columns of a prepared table.

    Returns
    -------
    uint64 array of shape (n,), or None
        None where no entity is declared; a row that names nobody is its own entity.
    """
    import pyarrow.parquet as pq

    if not entity:
        return None
    table = pq.read_table(path, columns=[*entity, ROW])
    who = row_digests(table, sorted(entity))
    return np.where(who == 0, scatter(table.column(ROW).to_numpy(), salt=1), who)
