"""A budget belongs to the data: neither another name nor another way to read it makes a new one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from everfit.contracts.base import digest_of
from everfit.contracts.messages.planning import Trigger
from everfit.contracts.messages.spans import Snapshot, Span
from everfit.contracts.spec.gate import GateSpec
from everfit.ml.holdout_budget.policy import EvaluatedRun
from everfit.ml.holdout_budget.recognize import EvaluatedTable
from everfit.ml.holdout_budget.record import evaluations_until, record_evaluation
from everfit.storage.ledger import open_ledger
from everfit.storage.ledger.records import RunRecord, SpanRecord

GATE = GateSpec(superior_by="1%", baseline="median")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
MONTH = 0.05 * 30 / 365.25


def rows(seed: int, count: int = 1000) -> pa.Table:
    random = np.random.default_rng(seed)
    size = random.normal(size=count)
    return pa.table(
        {
            "size": size,
            "weight": random.normal(size=count),
            "kind": random.choice(["a", "b", "c"], count),
            "fare": size + random.normal(size=count),
        }
    )


@pytest.fixture
def evaluate(tmp_path):
    """One run of a pipeline, evaluated on a table that arrived so many days after NOW."""
    made: list[str] = []

    def run(pipeline: str, table: pa.Table, days: float = 0.0, **dated: str):
        when = NOW + timedelta(days=days)
        number = len(made)
        made.append(pipeline)
        path = tmp_path / f"{number}.parquet"
        pq.write_table(table, path)
        digest = digest_of(path.read_bytes().hex())
        span = Span(name=f"{number}.csv", digest=digest, rows=len(table), size=1, **dated)
        snapshot = Snapshot(span=span, fingerprint="f", provenance={}).model_dump(mode="json")
        key = digest_of(["run", number])
        with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=lambda: when) as ledger:
            ledger.record_span(
                pipeline,
                SpanRecord(
                    name=span.name,
                    fingerprint="f",
                    reader=digest_of("reader"),
                    digest=digest,
                    snapshot=snapshot,
                ),
            )
            ledger.open_run(
                pipeline,
                RunRecord(
                    run_key=key,
                    spec=digest_of("spec"),
                    window=(digest_of("window"),),
                    holdout=(digest,),
                    code=digest_of("code"),
                    environment=digest_of("env"),
                    seed=0,
                    champion=None,
                    trigger=Trigger(),
                ),
            )
            features = [name for name in table.column_names if name != "fare"]
            evaluation = record_evaluation(
                ledger,
                EvaluatedRun(key, pipeline, "fare"),
                GATE,
                when,
                lambda: EvaluatedTable(path, "fare", features, None),
            )
            assert evaluations_until(ledger, key)[0] == evaluation.model_copy(update={"at": ""})
            return evaluation

    return run


def test_new_rows_of_new_days_refill_the_budget(evaluate):
    first, second = evaluate("taxi", rows(1)), evaluate("taxi", rows(2), days=30)
    assert [first.refilled, second.refilled] == pytest.approx([MONTH, MONTH])
    assert (second.new_rows, second.number, second.shared_with) == (1.0, 2, ())


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(lambda table: table, id="the same file under another name"),
        pytest.param(lambda table: table.slice(0, 600), id="another filter"),
        pytest.param(lambda table: table.select(["size", "fare"]), id="other columns"),
        pytest.param(lambda table: table.slice(300).select(["size", "kind", "fare"]), id="both"),
    ],
)
@pytest.mark.parametrize(
    "dated",
    [
        {},
        {"period_start": "2094-01-01", "period_end": "2095-01-01"},
        {"period_start": "2014-01-01", "period_end": "2015-01-01"},
    ],
)
def test_what_was_evaluated_before_refills_nothing_however_it_is_read(evaluate, again, dated):
    first = evaluate("taxi", rows(1))
    second = evaluate("taxi", again(rows(1)), days=60, **dated)
    assert second.refilled < 0.15 * first.refilled
    assert second.alpha < 0.6 * first.alpha


def test_a_copy_of_a_pipeline_under_another_name_has_no_budget_of_its_own(evaluate):
    first = evaluate("taxi", rows(1))
    copies = [evaluate(f"taxi_{number}", rows(1)) for number in range(5)]
    shares = [one.alpha / MONTH for one in (first, *copies)]
    assert shares == pytest.approx([1 / 2, 1 / 4, 1 / 8, 1 / 16, 0, 0], abs=0.02)
    assert copies[1].shared_with == ("taxi", "taxi_0")
    assert [one.number for one in copies] == [2, 3, 4, 5, 6]
    # the copy and its original keep one budget on rows that are new to both
    fresh = evaluate("taxi_0", rows(2), days=30)
    assert fresh.refilled == pytest.approx(MONTH)
    assert fresh.pool == pytest.approx(
        MONTH + first.refilled - sum(o.alpha for o in (first, *copies))
    )


def test_pipelines_on_other_rows_have_budgets_of_their_own(evaluate):
    north, south = evaluate("north", rows(1)), evaluate("south", rows(2))
    assert north.alpha == south.alpha == pytest.approx(MONTH / 2)
    assert (south.number, south.sequence, south.shared_with) == (1, 2, ())


def test_files_without_dates_that_come_at_once_bring_the_time_of_one(evaluate):
    evaluations = [evaluate("taxi", rows(seed)) for seed in range(8)]
    assert sum(one.refilled for one in evaluations) == pytest.approx(MONTH)
