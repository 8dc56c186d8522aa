"""Tables beside the source, joined to its spans."""

from __future__ import annotations

import pandas as pd
import pytest

from everfit.contracts.errors import SourceError
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.source import read_source
from everfit.data.sources.beside import list_with_tables
from everfit.data.sources.span_request import extract_request
from everfit.steps.extract.step import Extract, joined_notes

SPEC = {
    "name": "p",
    "task": "regression",
    "target": "y",
    "time": "at",
    "source": {"uri": "{data}/orders/*.csv"},
    "gate": {"superior_by": "1%", "baseline": "median"},
}

ORDERS = (
    "at,customer,y\n2024-01-10,7,1\n2024-01-20,7,2\n2024-01-20,8,3\n2024-01-05,7,4\n2024-01-09,,5\n"
)
HISTORY = (
    "customer,since,limit\n7,2024-01-08,100\n7,2024-01-15,200\n8,2024-02-01,900\n9,2024-01-01,5\n"
)


@pytest.fixture
def joined(extract):
    def run(*joins, **more):
        spec = PipelineSpec.model_validate({**SPEC, "join": list(joins), **more})
        listed = list_with_tables(spec, extract.context.settings)
        request = extract_request(spec, listed.listing.spans, listed.tables)
        result = Extract().run(request, extract.context)
        extract.record(request, result)
        return result

    return run


HISTORICAL = {
    "source": {"uri": "{data}/limits/*.csv"},
    "on": ["customer"],
    "as_of": "since",
    "columns": ["limit"],
    "prefix": "customer_",
}


def column(extract, result, name, span=0):
    table = extract.table(result.snapshots[span])
    return table.column(name).to_pylist()


def test_no_later_row_is_joined_where_a_naive_join_takes_one(extract, joined, write):
    orders = write("orders/jan.csv", ORDERS)
    limits = write("limits/all.csv", HISTORY)
    newest = pd.read_csv(limits).drop_duplicates("customer", keep="last")
    naive = pd.read_csv(orders).merge(newest, on="customer", how="left")
    assert naive["limit"].tolist()[:4] == [200, 200, 900, 200]  # known days and weeks later
    result = joined(HISTORICAL)
    assert column(extract, result, "customer_limit") == [100, 200, None, None, None]
    assert joined_notes(result.snapshots) == (
        "join.0 ({data}/limits/*.csv): 2 of 5 rows have a match; 2 have only later ones, "
        "1 have none",
    )


def test_a_row_that_the_table_knows_at_that_very_time_is_joined(extract, joined, write):
    write("orders/jan.csv", "at,customer,y\n2024-01-08,7,1\n2024-01-07 23:59:59,7,2\n")
    write("limits/all.csv", HISTORY)
    assert column(extract, joined(HISTORICAL), "customer_limit") == [100, None]


def test_a_table_in_several_files_is_one_table(extract, joined, write):
    write("orders/jan.csv", ORDERS)
    first, *rest = HISTORY.splitlines()
    for number, line in enumerate(rest):
        write(f"limits/{9 - number}.csv", f"{first}\n{line}\n")
    result = joined(HISTORICAL)
    assert column(extract, result, "customer_limit") == [100, 200, None, None, None]


def test_without_as_of_a_key_has_one_row_and_a_second_is_refused_by_its_value(joined, write):
    write("orders/jan.csv", ORDERS)
    write("limits/all.csv", HISTORY)
    result = joined({**HISTORICAL, "as_of": None})
    assert [one.code for one in result.refused] == ["SPAN-JOIN"]
    assert "several for customer '7'" in result.refused[0].message


def test_two_rows_known_since_one_time_are_refused(joined, write):
    write("orders/jan.csv", ORDERS)
    write("limits/all.csv", HISTORY + "7,2024-01-15,201\n")
    assert "several for customer '7'" in joined(HISTORICAL).refused[0].message


def test_keys_of_two_types_are_refused_with_a_value_of_both(joined, write):
    write("orders/jan.csv", ORDERS)
    write("limits/all.csv", HISTORY.replace("\n7,", "\n007,").replace("\n8,", "\n008,"))
    message = joined(HISTORICAL).refused[0].message
    assert "'customer' is of one type here and in join.0" in message
    assert "integer, such as '7'" in message
    assert "string, such as '007'" in message


def test_a_column_that_the_span_has_is_not_covered(joined, write):
    write("orders/jan.csv", "at,customer,y,limit\n2024-01-10,7,1,9\n")
    write("limits/all.csv", HISTORY)
    refused = joined({**HISTORICAL, "prefix": ""}).refused
    assert "'limit'; the span has it already" in refused[0].message


def test_a_part_of_a_table_that_cannot_be_read_stops_all(joined, write):
    write("orders/jan.csv", ORDERS)
    write("limits/all.csv", HISTORY)
    write("limits/next.csv", "")
    with pytest.raises(SourceError, match=r"JOIN-TABLE join\.0: every span .* can be read"):
        joined(HISTORICAL)


def test_a_table_without_spans_is_told(joined, write):
    write("orders/jan.csv", ORDERS)
    with pytest.raises(SourceError, match="limits"):
        joined(HISTORICAL)


def test_a_changed_table_changes_the_spans_it_touches_alone(extract, joined, write):
    write("orders/jan.csv", ORDERS)
    write("orders/mar.csv", "at,customer,y\n2024-03-01,7,1\n2024-03-02,9,2\n")
    write("limits/all.csv", HISTORY)
    first = joined(HISTORICAL)
    again = joined(HISTORICAL)
    assert again.snapshots == first.snapshots
    assert not again.tables  # nothing was read
    write("limits/more.csv", "customer,since,limit\n7,2024-02-20,300\n10,2024-01-01,1\n")
    changed = joined(HISTORICAL)
    digests = [[one.span.digest for one in result.snapshots] for result in (first, changed)]
    assert digests[0][0] == digests[1][0]
    assert digests[0][1] != digests[1][1]
    assert column(extract, changed, "customer_limit", span=1) == [300, 5]


def test_the_source_is_not_fetched_again_where_only_a_table_changed(joined, write):
    write("orders/jan.csv", ORDERS)
    write("limits/all.csv", HISTORY)
    joined(HISTORICAL)
    write("limits/more.csv", "customer,since,limit\n7,2024-01-09,300\n")
    result = joined(HISTORICAL)
    assert [one.span.name for one in result.tables["join.0"]] == ["all.csv", "more.csv"]
    lineage = result.snapshots[0].provenance
    assert lineage["apart"] == result.apart[0].span.digest
    assert [one["name"] for one in lineage["tables"][0]["spans"]] == ["all.csv", "more.csv"]
    assert all(one["raw_sha256"] for one in lineage["tables"][0]["spans"])


def test_several_tables_are_joined_at_once(extract, joined, write):
    write("orders/jan.csv", ORDERS)
    write("limits/all.csv", HISTORY)
    write("regions.csv", "customer,region\n7,north\n8,\n")
    regions = {"source": {"uri": "{data}/regions.csv"}, "on": ["customer"], "columns": ["region"]}
    result = joined(HISTORICAL, regions)
    assert column(extract, result, "region") == ["north", "north", None, "north", None]
    assert column(extract, result, "customer_limit") == [100, 200, None, None, None]
    assert [(one.matched, one.missing) for one in result.snapshots[0].joined] == [(2, 1), (4, 1)]


def test_a_query_is_a_table_as_well(extract, joined, write, monkeypatch, tmp_path):
    import sqlalchemy as sa

    write("orders/jan.csv", ORDERS)
    url = f"sqlite:///{tmp_path / 'limits.db'}"
    engine = sa.create_engine(url)
    rows = [line.split(",") for line in HISTORY.splitlines()[1:]]
    with engine.begin() as database:
        database.execute(
            sa.text("CREATE TABLE limits (customer INTEGER, since TEXT, amount INTEGER)")
        )
        for customer, since, limit in [*rows, ["0", "2024-03-01", "0"]]:  # closes february
            database.execute(
                sa.text("INSERT INTO limits VALUES (:c, :s, :l)"),
                {"c": int(customer), "s": f"{since} 00:00:00", "l": int(limit)},
            )
    engine.dispose()
    monkeypatch.setenv("EVERFIT_CONN_CRM", url)
    table = {
        "source": {"connection": "crm", "query": "SELECT * FROM limits", "watermark": "since"},
        "on": ["customer"],
        "as_of": "since",
        "columns": ["amount"],
    }
    assert column(extract, joined(table), "amount") == [100, 200, None, None, None]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"time": None}, "join.0.as_of: a row's own time is what it is compared with: set time"),
        ({"join": [HISTORICAL, HISTORICAL]}, "another join makes a column 'customer_limit', too"),
        (
            {"join": [{**HISTORICAL, "prefix": "", "columns": ["at"]}]},
            "'at' is in the source already",
        ),
        ({"source": {"uri": "x", "columns": ["at", "y"]}}, "join.0.on: 'customer' is not read"),
        (
            {"join": [{**HISTORICAL, "source": {"uri": "x", "columns": ["limit", "since"]}}]},
            "join.0: 'customer' is not read: add it to join.0.source.columns",
        ),
        (
            {"join": [{**HISTORICAL, "on": ["a", "a"]}]},
            "a column is given once: 'a' is there twice",
        ),
    ],
)
def test_a_join_that_cannot_be_is_told_before_anything_is_read(change, problem):
    with pytest.raises(ValueError, match="join") as caught:
        PipelineSpec.model_validate({**SPEC, "join": [HISTORICAL], **change})
    assert problem in str(caught.value)


def test_the_credentials_of_a_table_are_those_of_the_pipeline_too():
    table = read_source(connection="crm", query="SELECT 1", watermark="w")
    spec = PipelineSpec.model_validate(
        {**SPEC, "join": [{"source": table, "on": ["a"], "columns": ["b"]}]}
    )
    assert spec.connections_of("extract") == ("crm",)
