"""Snapshots in a real store, and an evaluation of one of them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.monitoring import (
    ColumnDrift,
    DriftReportRequest,
    Rise,
    SpanEvaluation,
)
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.spans import Span

MODEL = Artifact(name="model.skops", digest="a" * 64, size=1)


@pytest.fixture
def snapshot(context, tmp_path):
    """Name and columns → the span of a snapshot in the store."""

    def put(name: str, columns: dict[str, object]) -> Span:
        table = pa.table(columns)
        path = tmp_path / "snapshot.parquet"
        pq.write_table(table, path, row_group_size=700)
        stored = context.store.put(name, path.read_bytes())
        return Span(name=name, digest=stored.digest, rows=table.num_rows, size=stored.size)

    return put


def drift(name: str, kind: str = "number", score: float = 0.02, *, drifted: bool = False):
    return ColumnDrift(
        name=name,
        kind=kind,
        score=score,
        measure="Wasserstein distance / std",
        p_value=0.5,
        adjusted=1e-6 if drifted else 1.0,
        significant=drifted,
        drifted=drifted,
        message="as it was",
    )


@pytest.fixture
def asked(context, snapshot):
    """A request whose column ``miles`` has moved by a standard deviation, the others by nothing."""

    def make(**more: object) -> DriftReportRequest:
        chance = np.random.default_rng(11)

        def columns(shift: float) -> dict[str, object]:
            return {
                "miles": chance.normal(3 + shift, 1, 2000),
                "riders": chance.integers(1, 5, 2000),
                "flag": chance.choice(["Y", "N"], 2000),
            }

        reference = (snapshot("2018-11.csv", columns(0)), snapshot("2018-12.csv", columns(0)))
        champion = ChampionRef(
            version=3,
            run_key="b" * 64,
            model=MODEL,
            train=MODEL,
            sequence=1,
            window=tuple(span.digest for span in reference),
        )
        evaluation = SpanEvaluation(
            span=snapshot("2019-01.csv", columns(1)),
            state="measured",
            columns=(
                drift("miles", score=1.0, drifted=True),
                drift("riders"),
                drift("flag", "category"),
            ),
            rises=(
                Rise(
                    metric="mae",
                    reference=2.5,
                    current=2.9,
                    worse=0.4,
                    low=0.3,
                    rows=2000,
                    labelled=1.0,
                    method="by hand",
                ),
            ),
            because="1 of 3 columns drifted: miles (1)",
        )
        return DriftReportRequest(
            pipeline="fares",
            owner="ada",
            champion=champion,
            reference=reference,
            evaluation=evaluation.model_copy(update=more),
            drift=context.store.put("drift.json", b'{"format":1}'),
            page=context.store.put("monitor_report.html", b"<!DOCTYPE html>"),
        )

    return make
