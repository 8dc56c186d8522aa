"""Real life passes: every shared table as it is, without a false quarantine."""

from __future__ import annotations


def test_eighteen_months(months, judge_tables, errors):
    found = judge_tables(months)
    assert len(found) == 18
    assert not {name for name in found if errors(found[name])}
    # … and what is odd about them is told.
    codes = {(name, code) for name, some in found.items() for code, *_ in some}
    assert ("2019-01", "NULL-DROP") in codes
    assert ("2018-11", "OUTSIDE-PERIOD") in codes


def test_eighteen_months_trip_minutes(months, judge_tables, errors, make_spec):
    spec = make_spec(
        target={"name": "minutes", "expression": "minutes(pickup_datetime, dropoff_datetime)"},
        features={
            "drop": ["dropoff_datetime", "total_amount", "tip_amount"],
            "keep": ["pickup_datetime"],
        },
    )
    tables = {name: table for name, table in months.items() if name >= "2018-10"}
    found = judge_tables(tables, spec)
    assert not {name for name in found if errors(found[name])}


def test_chicago(read_csv, judge_tables, errors, make_spec):
    spec = make_spec(
        task="binary",
        target={"name": "big_tip", "expression": "tips > 0.2 * fare"},
        time=None,
        features={"drop": ["tips"], "keep": ["fare"]},
        holdout={"fraction": 0.2},
    )
    found = judge_tables({"data": read_csv("chicago_taxi/data.csv")}, spec)
    assert not errors(found["data"])


def test_penguins(read_csv, judge_tables, errors, make_spec):
    spec = make_spec(
        task="multiclass", target="species", time=None, features={}, holdout={"fraction": 0.2}
    )
    assert not errors(judge_tables({"data": read_csv("penguins/penguins.csv")}, spec)["data"])
