"""Real tables, and a judge that takes Arrow tables."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from everfit.contracts.messages.spans import Span
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.tables.row_digests import row_digests
from everfit.ml.profiles.delivery_sample import SampleTaker
from everfit.ml.profiles.span_statistics import profile_parquet
from everfit.steps.validate.deliveries import compared_columns
from everfit.steps.validate.judge import judge
from everfit.steps.validate.target_profile import profile_target


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


@pytest.fixture(scope="session")
def judge_tables(tmp_path_factory):
    """name → table, judged as spans; gives name → (code, column, severity, message) list."""
    folder = tmp_path_factory.mktemp("spans")
    written, profiles, targets, samples = (
        {},
        {},
        {},
        {},
    )  # the same table is read once, and kept alive here

    def profile(name, table, spec, digest):
        period = _month_period(name) if name[:2] == "20" else (None, None)
        path = folder / f"{id(table)}.parquet"
        if id(table) not in written:
            pq.write_table(table, path, store_schema=False)
            written[id(table)] = table
        key = (id(table), name)
        if key not in profiles:
            profiles[key] = profile_parquet(path, "0" * 64, period)
        known = profiles[key].model_copy(update={"digest": digest})
        columns = compared_columns(spec, {c.name: c.type for c in known.columns})
        sampled = (id(table), columns, spec.key)
        if sampled not in samples:
            taker = SampleTaker(columns, frozenset(spec.key))
            names = table.column_names
            taker.add({n: row_digests(table, [n]) for n in names}, table.num_rows)
            samples[sampled] = taker.sample()
        asked = (*key, spec.target, spec.features.model_dump_json(), spec.time)
        if asked not in targets:
            targets[asked] = profile_target(
                path, spec.target, spec.features, known.columns, spec.time
            )
        span = Span(
            name=name,
            digest=digest,
            rows=table.num_rows,
            size=1,
            period_start=period[0],
            period_end=period[1],
        )
        return span, known, targets[asked], samples[sampled]

    def run(tables, spec=None, digests=None):
        spec = spec or _spec()
        looked = [
            profile(name, table, spec, (digests or {}).get(name) or f"{place:064x}")
            for place, (name, table) in enumerate(tables.items())
        ]
        judged = judge(*zip(*looked, strict=True), spec)
        return {
            name: [(a.code, a.column, a.severity, a.message) for a in one.anomalies]
            for name, one in zip(tables, judged, strict=True)
        }

    return run


@pytest.fixture(scope="session")
def errors():
    """Codes and columns of the errors among what ``judge_tables`` gives for a span."""
    return lambda found: {(code, column) for code, column, grade, _ in found if grade == "error"}
