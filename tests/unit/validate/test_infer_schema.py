"""A schema inferred from half a year holds in the next, and reads back from its YAML."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.spec.table_schema import TableSchema
from everfit.contracts.spec.yaml_file import read_document
from everfit.ml.profiles.span_statistics import profile_table
from everfit.steps.validate.infer_schema import infer_schema
from everfit.steps.validate.report.schema_yaml import schema_yaml

DIGEST = "0" * 64


@pytest.fixture(scope="module")
def half_a_year(months):
    return [profile_table(table, DIGEST) for table in list(months.values())[:6]]


def test_the_next_half_year_keeps_it(half_a_year, months, judge_tables, make_spec, errors):
    spec = make_spec().model_copy(update={"curated": infer_schema(half_a_year)})
    found = judge_tables(dict(list(months.items())[:12]), spec)
    assert not {name for name in found if errors(found[name])}


def test_faults_break_it(half_a_year, months, judge_tables, make_spec, errors):
    """Without any history: the schema alone notices."""
    spec = make_spec().model_copy(update={"curated": infer_schema(half_a_year)})
    table = months["2018-07"]
    metres = pc.multiply(table.column("trip_distance"), 1609.344)
    place = table.schema.get_field_index("trip_distance")
    found = judge_tables({"2018-07": table.set_column(place, "trip_distance", metres)}, spec)
    assert errors(found["2018-07"]) == {("OUT-OF-RANGE", "trip_distance")}


def test_what_is_inferred(half_a_year, months):
    columns = infer_schema(half_a_year).columns
    assert list(columns) == months["2018-01"].column_names
    flag = columns["store_and_fwd_flag"]
    assert (flag.type, flag.domain, flag.max_null) == ("string", ("N", "Y"), 0.02)
    fare = columns["fare_amount"]
    seen = [m.column("fare_amount").to_numpy() for m in list(months.values())[:6]]
    low, high = min(s.min() for s in seen), max(s.max() for s in seen)
    assert fare.min < low < 0
    assert fare.max > high
    assert columns["trip_distance"].min == 0.0  # never negative
    assert columns["pickup_datetime"].min is None
    assert columns["congestion_surcharge"].max_null == 1.0
    assert columns["pickup_datetime"].type == "timestamp"


def test_the_yaml_reads_back(half_a_year, tmp_path):
    schema = infer_schema(half_a_year)
    text = schema_yaml(schema, "nyc", half_a_year)
    path = tmp_path / "nyc.schema.yaml"
    path.write_text(text)
    assert TableSchema.model_validate(read_document(path).data) == schema
    assert text == schema_yaml(schema, "nyc", half_a_year)
    assert text.startswith("# The schema of nyc's table, inferred from 6 spans. Review it")
    assert "# seen: at most 100 % missing" in text
    assert "fare_amount: {type: float" in text


def test_a_column_of_some_spans_is_not_required():
    one = profile_table(pa.table({"a": [1, 2]}), DIGEST)
    two = profile_table(pa.table({"a": [1.5, 2], "b": ["x", None]}), DIGEST)
    columns = infer_schema([one, two]).columns
    assert (columns["a"].required, columns["a"].type) == (True, "float")
    assert (columns["b"].required, columns["b"].domain) == (False, None)  # two rows prove nothing
    assert columns["b"].max_null == 0.77


NAMES = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1, max_size=30
)


@given(
    st.dictionaries(
        NAMES,
        st.one_of(
            st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3),
            st.lists(st.integers(-(2**62), 2**62), min_size=3, max_size=3),
            st.lists(
                st.sampled_from(["yes", "null", "1", "x: y", "#", "'", "a\nb"]),
                min_size=3,
                max_size=3,
            ).map(lambda texts: texts * 30),
        ),
        min_size=1,
        max_size=1,
    )
)
def test_any_table_keeps_the_schema_inferred_from_it(table):
    import yaml

    from everfit.steps.validate.check_schema import check_schema
    from everfit.steps.validate.findings import Findings

    statistics = profile_table(pa.table(table), DIGEST)
    schema = infer_schema([statistics])
    assert TableSchema.model_validate(yaml.safe_load(schema_yaml(schema))) == schema
    findings = Findings("span", _spec())
    check_schema(statistics, schema, findings)
    assert not findings.anomalies


def _spec():
    from everfit.contracts.spec.pipeline import PipelineSpec

    return PipelineSpec.model_validate(
        {
            "name": "p",
            "task": "regression",
            "target": "y",
            "source": {"uri": "x.csv"},
            "gate": {"superior_by": 0, "baseline": "mean"},
        }
    )
