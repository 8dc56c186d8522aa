"""Real tables, and a judge that takes Arrow tables."""

from __future__ import annotations

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from pipeline_components.contracts.spans import Span
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.validate.judge import judge
from pipeline_components.validate.span_statistics import profile_parquet
from pipeline_components.validate.target_profile import profile_target


@pytest.fixture(scope="session")
def months(shared_data):
    """Month → table, all of ``nyc_yellow``, oldest first."""
    return {
        path.stem: pyarrow.csv.read_csv(path)
        for path in sorted((shared_data / "nyc_yellow").glob("*.csv"))
    }


@pytest.fixture(scope="session")
def read_csv(shared_data):
    return lambda name: pyarrow.csv.read_csv(shared_data / name)


def _spec(**changes):
    values = {
        "name": "trips",
        "task": "regression",
        "target": "fare_amount",
        "source": {"uri": "{data}/*.csv"},
        "time": "pickup_datetime",
        "features": {"drop": ["total_amount", "tip_amount"]},
        "gate": {"superior_by": "1%", "baseline": "mean"},
    } | changes
    if values["task"] != "regression":
        values["gate"] = {"superior_by": "1%", "baseline": "prior"}
    return PipelineSpec.model_validate(values)


@pytest.fixture(scope="session")
def make_spec():
    """A spec that predicts a fare, with changes."""
    return _spec


def _month_period(name):
    year, month = int(name[:4]), int(name[5:7])
    after = f"{year + month // 12}-{month % 12 + 1:02d}"
    return f"{name}-01T00:00:00", f"{after}-01T00:00:00"


@pytest.fixture(scope="session")
def month_period():
    return _month_period


@pytest.fixture
def judge_tables(tmp_path):
    """name → table, judged as spans; gives name → (code, column, severity, message) list."""

    def run(tables, spec=None, digests=None):
        spec = spec or _spec()
        spans, statistics, targets = [], [], []
        for place, (name, table) in enumerate(tables.items()):
            path = tmp_path / f"{place}.parquet"
            pq.write_table(table, path, store_schema=False)
            digest = (digests or {}).get(name) or f"{place:064x}"
            start, end = _month_period(name) if name[:2] == "20" else (None, None)
            spans.append(
                Span(
                    name=name, digest=digest, rows=table.num_rows, size=1,
                    period_start=start, period_end=end,
                )
            )  # fmt: skip
            statistics.append(profile_parquet(path, digest, (start, end)))
            targets.append(
                profile_target(
                    path, spec.target, spec.features, statistics[-1].columns, spec.time
                )
            )
        judged = judge(spans, statistics, targets, spec)
        return {
            span.name: [(a.code, a.column, a.severity, a.message) for a in one.anomalies]
            for span, one in zip(spans, judged, strict=True)
        }

    return run


@pytest.fixture(scope="session")
def errors():
    """Codes and columns of the errors among what ``judge_tables`` gives for a span."""
    return lambda found: {(code, column) for code, column, grade, _ in found if grade == "error"}
