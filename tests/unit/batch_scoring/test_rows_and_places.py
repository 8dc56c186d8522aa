"""Rows to score are read with the types of training, and their predictions are put in a place."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from everfit.contracts.errors import UserError
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.steps.score.destination import Bucket, Folder, Receipt, open_destination
from everfit.steps.score.read_input import Reader, open_input
from everfit.steps.score.whole_query import whole_query
from everfit.steps.score.write import key_columns, table_schema

SPEC = PipelineSpec.model_validate(
    {
        "name": "made",
        "task": "regression",
        "target": "y",
        "source": {"uri": "{data}/t/*.csv", "where": "amount > 1", "csv": {"decimal": ","}},
        "key": ["id"],
        "gate": {"superior_by": "1%", "baseline": "median"},
    }
)


def test_a_column_has_its_type_in_training_whatever_this_file_holds(context, tmp_path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("id;code;amount;unread\n1;1.50;2,5;x\n2;2.00;1;x\n3;2.00;3;x\n")
    source = open_input(SPEC, str(path), context)
    reader = Reader(SPEC, source, {"code": "string", "amount": "float"}, key_columns(SPEC))
    (ref,) = source.open(source.spec).list().spans
    span = reader.snapshot(ref, context, lambda _: None).span
    with pq.ParquetFile(context.store.local(span.digest, context.scratch)) as file:
        assert file.read().to_pydict() == {
            "id": [1, 3],
            "code": ["1.50", "2.00"],
            "amount": [2.5, 3.0],
        }


def test_a_filter_on_the_target_leaves_no_row_out(context, tmp_path) -> None:
    spec = SPEC.model_copy(update={"source": SPEC.source.model_copy(update={"where": "y > 0"})})
    source = open_input(spec, str(tmp_path / "new.csv"), context)
    assert source.spec.where is None
    assert source.notes[0].startswith("source.where reads y, which is not known")


@pytest.mark.parametrize(
    ("address", "place", "name", "form"),
    [
        ("out", "out", None, "parquet"),
        ("out/today.csv", "out", "today.csv", "csv"),
        ("file:///srv/out/", "/srv/out", None, "parquet"),
        ("s3://bucket/a/b/", "s3://bucket/a/b", None, "parquet"),
        ("s3://bucket/a.parquet", "s3://bucket", "a.parquet", "parquet"),
    ],
)
def test_an_output_is_a_folder_or_a_file(
    address, place, name, form, settings, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    destination, single, written = open_destination(address, settings)
    assert (single, written) == (name, form)
    assert isinstance(destination, Bucket if "s3:" in address else Folder)
    assert destination.address == (place if "/" in place else (tmp_path / place).as_posix())


@pytest.mark.parametrize("address", ["out.csv.gz", "gs://bucket/x", "postgresql://u:secret@h/db"])
def test_no_other_output_is_taken_and_no_secret_shown(address, settings) -> None:
    with pytest.raises(UserError, match="SCORE-OUTPUT --output: ") as raised:
        open_destination(address, settings)
    assert "secret" not in raised.value.line


@pytest.mark.parametrize("address", ["sql:warehouse", "sql:Ware house:t", "sql::t"])
def test_a_database_is_named_with_connection_and_table(address) -> None:
    with pytest.raises(UserError, match="SCORE-INPUT --input: a database is written"):
        whole_query(address, {})


def test_a_key_never_has_the_name_of_a_column_that_is_written() -> None:
    import pyarrow as pa

    answers = {"prediction": pa.string(), "probability_a": pa.float64()}
    with pytest.raises(UserError, match="SCORE-COLUMNS probability_a: "):
        table_schema({"probability_a": pa.int64()}, answers, numbered=False)


def test_a_receipt_that_is_none_of_ours_counts_for_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    receipt = Receipt(
        pipeline="made",
        version=1,
        run_key="0" * 64,
        span="a.csv",
        source="/jan/a.csv",
        digest="1" * 64,
        fingerprint="",
        asked="2" * 64,
    )
    folder.note("b/a.parquet", receipt)
    assert folder.receipt("b/a.parquet") == receipt
    folder.refuse_others("b/a.parquet", "made", "/jan/a.csv")
    with pytest.raises(UserError, match=r"SCORE-TAKEN .*; it holds those of the pipeline made"):
        folder.refuse_others("b/a.parquet", "other", "/jan/a.csv")
    with pytest.raises(UserError, match=r"SCORE-TAKEN .*; it holds those of /jan/a.csv"):
        folder.refuse_others("b/a.parquet", "made", "/feb/a.csv")
    (tmp_path / "b" / "_scored" / "a.parquet.json").write_text("{}")
    assert folder.receipt("b/a.parquet") is None
    (tmp_path / "b" / "a.parquet").write_bytes(b"x")
    with pytest.raises(UserError, match="SCORE-TAKEN"):
        folder.refuse_others("b/a.parquet", "made")
