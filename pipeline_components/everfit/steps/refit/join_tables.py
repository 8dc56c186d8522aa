"""The table of a refit: the window's rows, then the holdout's, which are later in time."""

from __future__ import annotations

from pathlib import Path


def join_tables(train: Path, holdout: Path, to: Path) -> int:
    """Write the rows of both prepared tables into one, row group by row group.

    Parameters
    ----------
    train, holdout : Path
        Prepared tables of one run: the same columns in the same types.
    to : Path
        Created; equal tables give equal bytes.

    Returns
    -------
    int
        Rows written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 0
    with pq.ParquetFile(train) as first, pq.ParquetFile(holdout) as second:
        schema = first.schema_arrow.remove_metadata()
        texts = [field.name for field in schema if pa.types.is_string(field.type)]
        with pq.ParquetWriter(
            to, schema, compression="snappy", use_dictionary=texts, write_statistics=False
        ) as writer:
            for file in (first, second):
                for number in range(file.num_row_groups):
                    group = file.read_row_group(number, columns=schema.names, use_threads=False)
                    writer.write_table(group.cast(schema), row_group_size=max(len(group), 1))
                    rows += len(group)
    return rows
