"""Each anomaly code on a fault planted in real months, and on the clean months beside it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from everfit.contracts.messages.anomalies import ANOMALIES
from everfit.contracts.messages.readings import BrokenRule, ColumnReading
from everfit.contracts.spec.table_schema import ColumnSchema, TableSchema
from everfit.steps.validate.check_readings import check_readings
from everfit.steps.validate.check_rules import check_rules
from everfit.steps.validate.findings import Findings

PLANTED = "2018-05"


def put(table, name, values):
    return table.set_column(table.schema.get_field_index(name), name, values)


def first(table, name, count, value):
    """The column with its first ``count`` values replaced."""
    mask = pa.array(np.arange(table.num_rows) < count)
    return pc.if_else(mask, pa.scalar(value, table.column(name).type), table.column(name))


@pytest.fixture
def plant(months, judge_tables):
    """Judge six months with a fault in the fifth; gives what was found there."""

    def run(fault, spec=None, **keywords):
        tables = dict(list(months.items())[:6])
        tables[PLANTED] = fault(tables[PLANTED])
        found = judge_tables(tables, spec, **keywords)
        others = {a[:3] for name in tables if name != PLANTED for a in found[name]}
        assert not [a for a in others if a[2] == "error"], "a clean month was quarantined"
        return found[PLANTED]

    return run


def curated(**columns):
    return TableSchema(columns={name: ColumnSchema(**fields) for name, fields in columns.items()})


# Against the spans before


@pytest.mark.parametrize("factor", [1000, 1e-3, 100])
@pytest.mark.parametrize("column", ["trip_distance", "fare_amount", "tolls_amount"])
def test_unit_change(plant, errors, column, factor):
    """Kilometres as metres, dollars as cents; also where most values are zero (tolls)."""
    found = plant(lambda t: put(t, column, pc.multiply(t.column(column).cast("double"), factor)))
    assert errors(found) == {("UNIT-CHANGE", column)}


def test_a_smaller_change_or_another_sign_is_no_unit_change(plant, errors):
    for factor in (5.0, 0.2, -1.0):
        found = plant(
            lambda t, f=factor: put(t, "trip_distance", pc.multiply(t.column("trip_distance"), f))
        )
        assert not errors(found)


def test_unit_change_in_the_first_of_many(months, judge_tables, errors):
    tables = dict(list(months.items())[:4])
    table = tables["2018-01"]
    tables["2018-01"] = put(table, "trip_distance", pc.multiply(table.column("trip_distance"), 1e3))
    found = judge_tables(tables)
    assert errors(found["2018-01"]) == {("UNIT-CHANGE", "trip_distance")}
    assert not any(errors(found[name]) for name in list(tables)[1:])


def test_two_strange_months_do_not_hide_a_third(months, judge_tables, errors):
    tables = dict(list(months.items())[:8])
    for name in ("2018-04", "2018-06", "2018-08"):
        table = tables[name]
        tables[name] = put(table, "trip_distance", pc.multiply(table.column("trip_distance"), 1e3))
    found = judge_tables(tables)
    assert {name for name in tables if errors(found[name])} == {"2018-04", "2018-06", "2018-08"}


def test_null_jump(plant, errors):
    found = plant(lambda t: put(t, "trip_distance", first(t, "trip_distance", 3_000, None)))
    assert errors(found) == {("NULL-JUMP", "trip_distance")}
    assert not errors(
        plant(lambda t: put(t, "trip_distance", first(t, "trip_distance", 2_000, None)))
    )


def test_nan_counts_as_missing(plant, errors):
    few = plant(lambda t: put(t, "trip_distance", first(t, "trip_distance", 7, float("nan"))))
    assert ("NAN", "trip_distance", "warning") in {a[:3] for a in few}
    assert not errors(few)
    many = plant(lambda t: put(t, "trip_distance", first(t, "trip_distance", 3_000, float("nan"))))
    assert errors(many) == {("NULL-JUMP", "trip_distance")}


def test_null_drop_is_a_warning(months, judge_tables, errors):
    """What really happened: ``congestion_surcharge`` is empty until 2019-01."""
    found = judge_tables({n: t for n, t in months.items() if n >= "2018-10"})
    assert ("NULL-DROP", "congestion_surcharge", "warning") in {a[:3] for a in found["2019-01"]}
    assert ("ALL-NULL", "congestion_surcharge", "info") in {a[:3] for a in found["2018-12"]}
    assert not any(errors(some) for some in found.values())


def test_missing_column(plant, errors):
    found = plant(lambda t: t.drop_columns(["passenger_count"]))
    assert errors(found) == {("MISSING-COLUMN", "passenger_count")}


def test_extra_column_is_a_warning(plant, errors):
    found = plant(lambda t: t.append_column("surprise", pa.array(np.arange(t.num_rows))))
    assert ("EXTRA-COLUMN", "surprise", "warning") in {a[:3] for a in found}
    assert not errors(found)


def test_type_change(plant, errors):
    found = plant(lambda t: put(t, "passenger_count", t.column("passenger_count").cast("string")))
    assert errors(found) == {("TYPE-CHANGE", "passenger_count")}
    # A whole number with a point is the same number.
    assert not errors(
        plant(lambda t: put(t, "passenger_count", t.column("passenger_count").cast("double")))
    )


def test_new_category_is_a_warning(plant, errors):
    found = plant(lambda t: put(t, "store_and_fwd_flag", first(t, "store_and_fwd_flag", 9, "X")))
    assert [a for a in found if a[0] == "NEW-CATEGORY"] == [
        ("NEW-CATEGORY", "store_and_fwd_flag", "warning", "9 of 10,000 values are new: 'X'")
    ]


# Alone


def test_inf(plant, errors):
    found = plant(lambda t: put(t, "trip_distance", first(t, "trip_distance", 1, float("inf"))))
    assert errors(found) == {("INF", "trip_distance")}


def test_all_null_alone_is_information(judge_tables, months, errors):
    table = months["2018-01"]
    found = judge_tables({"2018-01": put(table, "extra", pa.nulls(table.num_rows))})["2018-01"]
    assert ("ALL-NULL", "extra", "info") in {a[:3] for a in found}
    assert not errors(found)


def test_duplicate_rows(plant, errors, make_spec):
    found = plant(lambda t: pa.concat_tables([t, t, t]))
    assert not errors(found)  # they are observations
    # 10,000 of 30,000 rows are the first of their kind; two pairs were equal before.
    (message,) = [message for code, _, _, message in found if code == "DUPLICATE-ROWS"]
    assert "20,00" in message and "observations of their own" in message
    assert ("DUPLICATE-ROWS", None, "warning") in {a[:3] for a in found}
    some = plant(lambda t: pa.concat_tables([t, t.slice(0, 1000)]))
    assert ("DUPLICATE-ROWS", None, "info") in {a[:3] for a in some}
    limited = make_spec(validation={"max_duplicates": 0.5})
    found = plant(lambda t: pa.concat_tables([t, t, t]), spec=limited)
    assert errors(found) == {("DUPLICATE-ROWS", None)}
    assert any("validation.max_duplicates" in message for _, _, _, message in found)


def test_a_month_delivered_before_under_new_times_is_told(months, judge_tables, errors):
    """A month's trips again, a month later: under other times, and no column else changed."""
    tables = dict(list(months.items())[:3])
    again = tables["2018-02"]
    for name in ("pickup_datetime", "dropoff_datetime"):
        later = pc.add(again.column(name), pa.scalar(timedelta(days=59)))
        again = put(again, name, later.cast(again.column(name).type))
    found = judge_tables({**tables, "2018-04": again})
    assert errors(found["2018-04"]) == {("DELIVERED-BEFORE", None)}
    (message,) = [m for code, _, _, m in found["2018-04"] if code == "DELIVERED-BEFORE"]
    assert "100 % of its rows" in message and "'2018-02'" in message
    assert not any(errors(found[name]) for name in tables)
    half = pa.concat_tables([again.slice(0, 5000), months["2018-04"].slice(0, 5000)])
    found = judge_tables({**tables, "2018-04": half})["2018-04"]
    assert errors(found) == {("DELIVERED-BEFORE", None)}
    assert any("about 50 %" in message for code, _, _, message in found)


def test_rows_that_come_again_under_their_key_are_versions(months, judge_tables, errors, make_spec):
    names = ("2018-01", "2018-02", "2018-03")
    first, second, third = (
        months[name].append_column("trip", pa.array(range(10_000 * n, 10_000 * n + 10_000)))
        for n, name in enumerate(names)
    )
    again = pa.concat_tables([second.slice(0, 8000), third.slice(0, 2000)])
    tables, spec = {"2018-01": first, "2018-02": second}, make_spec(key=["trip"])
    assert not errors(judge_tables({**tables, "x": again}, spec)["x"])
    renamed = put(again, "trip", pa.array(range(90_000, 100_000)))
    found = judge_tables({**tables, "x": renamed}, spec)["x"]
    assert errors(found) == {("DELIVERED-BEFORE", None)}


def test_duplicate_span(months, judge_tables, errors):
    tables = dict(list(months.items())[:3])
    tables["2018-04"] = tables["2018-02"]
    same = "f" * 64
    found = judge_tables(tables, digests={"2018-02": same, "2018-04": same})
    # The copy is also dated outside its month, here.
    assert ("DUPLICATE-SPAN", None) in errors(found["2018-04"])
    assert not errors(found["2018-02"])


def test_outside_period(plant, errors):
    def late(days, share):
        def fault(table):
            moved = pc.add(table.column("pickup_datetime"), pa.scalar(timedelta(days=days)))
            mask = pa.array(np.arange(table.num_rows) < share * table.num_rows)
            return put(
                table, "pickup_datetime", pc.if_else(mask, moved, table.column("pickup_datetime"))
            )

        return fault

    assert errors(plant(late(31, 1.0))) == {("OUTSIDE-PERIOD", "pickup_datetime")}
    few = plant(late(31, 0.04))
    assert ("OUTSIDE-PERIOD", "pickup_datetime", "info") in {a[:3] for a in few}
    assert not errors(few)


def test_empty_span(plant, errors):
    assert errors(plant(lambda t: t.slice(0, 0))) == {("EMPTY-SPAN", None)}


def test_a_column_the_spec_names_must_be_there(months, judge_tables, make_spec, errors):
    spec = make_spec(slices=[{"name": "airport", "where": "ratecode == 2"}])
    found = judge_tables({"2018-01": months["2018-01"]}, spec)
    assert errors(found["2018-01"]) == {("MISSING-COLUMN", "ratecode")}
    fairness = [{"by": "district", "metric": "mae", "max_gap": 1}]
    spec = make_spec(gate={"superior_by": "1%", "baseline": "median", "fairness": fairness})
    found = judge_tables({"2018-01": months["2018-01"]}, spec)
    assert errors(found["2018-01"]) == {("MISSING-COLUMN", "district")}


# The target


def test_target_missing(plant, errors, make_spec):
    found = plant(lambda t: put(t, "fare_amount", pa.nulls(t.num_rows, pa.float64())))
    assert ("TARGET-MISSING", "fare_amount") in errors(found)
    found = plant(lambda t: t.drop_columns(["fare_amount"]))
    assert ("TARGET-MISSING", "fare_amount") in errors(found)
    spec = make_spec(
        task="binary",
        target={"name": "tipped", "expression": "tip_amount > 1"},
        features={"drop": ["tip_amount", "total_amount"]},
    )
    found = plant(lambda t: put(t, "tip_amount", t.column("tip_amount").cast("string")), spec)
    assert ("TARGET-MISSING", "tipped") in errors(found)


def test_target_constant(plant, errors, make_spec):
    found = plant(lambda t: put(t, "fare_amount", first(t, "fare_amount", t.num_rows, 7.5)))
    assert ("TARGET-CONSTANT", "fare_amount") in errors(found)


def test_one_class_only(plant, errors, make_spec):
    spec = make_spec(
        task="binary",
        target={"name": "tipped", "expression": "tip_amount > 1"},
        features={"drop": ["tip_amount", "total_amount"]},
    )
    found = plant(lambda t: put(t, "tip_amount", first(t, "tip_amount", t.num_rows, 0.0)), spec)
    assert ("TARGET-CONSTANT", "tipped") in errors(found)
    assert any("the only class" in message for *_, message in found)


def test_target_type(plant, errors, months, judge_tables, make_spec):
    found = plant(lambda t: put(t, "fare_amount", t.column("fare_amount").cast("string")))
    assert ("TARGET-TYPE", "fare_amount") in errors(found)
    spec = make_spec(task="binary", target="payment_type")
    found = judge_tables({"2018-01": months["2018-01"]}, spec)["2018-01"]
    assert errors(found) == {("TARGET-TYPE", "payment_type")}


@pytest.mark.parametrize(
    "leak",
    [
        lambda fare: fare,
        lambda fare: pc.add(pc.multiply(fare, -2.54), 17.0),
        lambda fare: pc.power(pc.add(fare, 1000.0), 3.0),
        lambda fare: pc.add(fare, pa.array(np.random.default_rng(0).normal(0, 0.01, len(fare)))),
        lambda fare: pc.multiply(pc.max_element_wise(fare, 0.0), 1.0),
    ],
    ids=["copy", "linear", "monotone", "with noise", "clipped"],
)
def test_target_leak(plant, errors, leak):
    found = plant(lambda t: t.append_column("leak", leak(t.column("fare_amount"))))
    assert errors(found) == {("TARGET-LEAK", "leak")}


def test_a_dropped_leak_is_none(plant, errors, make_spec):
    spec = make_spec(features={"drop": ["total_amount", "tip_amount", "leak"]})
    assert not errors(plant(lambda t: t.append_column("leak", t.column("fare_amount")), spec))


def test_a_derived_feature_can_leak(months, judge_tables, errors, make_spec):
    spec = make_spec(
        features={"drop": ["total_amount"], "derive": {"sneaky": "2 * fare_copy + 0 * extra"}}
    )
    table = months["2018-01"]
    noise = np.random.default_rng(0).normal(0, 5, table.num_rows)
    table = table.append_column("fare_copy", pc.add(table.column("fare_amount"), pa.array(noise)))
    assert not errors(judge_tables({"2018-01": table}, spec)["2018-01"])
    table = months["2018-01"].append_column("fare_copy", months["2018-01"].column("fare_amount"))
    found = judge_tables({"2018-01": table}, spec)["2018-01"]
    assert {("TARGET-LEAK", "sneaky"), ("TARGET-LEAK", "fare_copy")} <= errors(found)


# Against the curated schema


@pytest.mark.parametrize(
    ("schema", "code", "column"),
    [
        (curated(surge={"type": "float"}), "MISSING-COLUMN", "surge"),
        (curated(extra={"type": "string"}), "TYPE-CHANGE", "extra"),
        (
            curated(congestion_surcharge={"type": "float", "max_null": 0.1}),
            "NULL-JUMP",
            "congestion_surcharge",
        ),
        (curated(passenger_count={"type": "integer", "min": 1}), "OUT-OF-RANGE", "passenger_count"),
        (
            curated(trip_distance={"type": "float", "max": 20, "max_outside": 0.001}),
            "OUT-OF-RANGE",
            "trip_distance",
        ),
        (
            curated(store_and_fwd_flag={"type": "string", "domain": ["N"]}),
            "NEW-CATEGORY",
            "store_and_fwd_flag",
        ),
    ],
)
def test_schema_errors(months, judge_tables, errors, make_spec, schema, code, column):
    spec = make_spec().model_copy(update={"curated": schema})
    found = judge_tables({"2018-02": months["2018-02"]}, spec)["2018-02"]
    assert errors(found) == {(code, column)}


@pytest.mark.parametrize(
    "schema",
    [
        curated(surge={"type": "float", "required": False}),
        curated(passenger_count={"type": "float", "min": 0, "max": 9}),
        curated(passenger_count={"type": "integer", "min": 1, "max_outside": 0.02}),
        curated(store_and_fwd_flag={"type": "string", "domain": ["N"], "max_outside": 0.01}),
    ],
)
def test_schema_slack(months, judge_tables, errors, make_spec, schema):
    spec = make_spec().model_copy(update={"curated": schema})
    assert not errors(judge_tables({"2018-02": months["2018-02"]}, spec)["2018-02"])


def test_out_of_range_counts_the_values(months, judge_tables, make_spec):
    table = months["2018-02"]
    wrong = int(np.sum(table.column("passenger_count").to_numpy() < 1))
    spec = make_spec().model_copy(
        update={"curated": curated(passenger_count={"type": "integer", "min": 1})}
    )
    found = judge_tables({"2018-02": table}, spec)["2018-02"]
    message = next(m for code, _, _, m in found if code == "OUT-OF-RANGE")
    assert message.startswith(f"{wrong} values (")


def test_whole_floats_pass_as_integers(months, judge_tables, errors, make_spec):
    table = months["2018-02"]
    table = put(table, "passenger_count", table.column("passenger_count").cast("double"))
    spec = make_spec().model_copy(update={"curated": curated(passenger_count={"type": "integer"})})
    assert not errors(judge_tables({"2018-02": table}, spec)["2018-02"])


def test_a_closed_schema_refuses_what_it_does_not_know(months, judge_tables, errors, make_spec):
    schema = curated(fare_amount={"type": "float"}).model_copy(update={"allow_extra": False})
    spec = make_spec().model_copy(update={"curated": schema})
    found = errors(judge_tables({"2018-02": months["2018-02"]}, spec)["2018-02"])
    assert {code for code, _ in found} == {"EXTRA-COLUMN"}
    assert len(found) == 17


# Ignoring


@pytest.mark.parametrize("ignore", ["UNIT-CHANGE", "UNIT-CHANGE:trip_distance"])
def test_an_ignored_code_does_not_quarantine(plant, errors, make_spec, ignore):
    spec = make_spec(validation={"ignore": [ignore]})
    found = plant(
        lambda t: put(t, "trip_distance", pc.multiply(t.column("trip_distance"), 1e3)), spec
    )
    assert not errors(found)
    assert ("UNIT-CHANGE", "trip_distance", "info") in {a[:3] for a in found}


def test_a_dropped_column_only_warns(plant, errors, make_spec):
    spec = make_spec(features={"drop": ["total_amount", "tip_amount", "trip_distance"]})
    found = plant(
        lambda t: put(t, "trip_distance", pc.multiply(t.column("trip_distance"), 1e3)), spec
    )
    assert not errors(found)
    assert ("UNIT-CHANGE", "trip_distance", "warning") in {a[:3] for a in found}


# What reading has shown


def reading(kind, column="trip_distance", **facts):
    return ColumnReading(
        column=column,
        kind=kind,
        type="float",
        values=10_000,
        message="3 of 10,000 values are not numbers",
        todo="Say how it is read",
        **facts,
    )


@pytest.mark.parametrize(
    ("kind", "odd", "blank", "code", "severity"),
    [
        ("unreadable", 100, 0, "UNREADABLE", "warning"),
        ("unreadable", 101, 0, "UNREADABLE", "error"),
        ("unreadable", 5_000, 5_000, "UNREADABLE", "warning"),
        ("looks_like", 10_000, 0, "LOOKS-LIKE", "warning"),
        ("read_as", 0, 0, "READ-AS", "info"),
        ("exact", 5, 0, "READ-AS", "info"),
    ],
)
def test_what_reading_has_shown_is_told(make_spec, kind, odd, blank, code, severity):
    findings = Findings("2018-05", make_spec())
    check_readings([reading(kind, odd=odd, blank=blank)], make_spec(), findings)
    (found,) = findings.anomalies
    assert (found.code, found.column, found.severity) == (code, "trip_distance", severity)
    assert "3 of 10,000" in found.message and "Say how it is read" in found.message


def test_the_tolerated_share_is_a_setting(make_spec):
    spec = make_spec(validation={"max_unreadable": 0.2})
    findings = Findings("2018-05", spec)
    check_readings([reading("unreadable", odd=1_999)], spec, findings)
    assert not findings.errors


def test_texts_that_hardly_repeat_are_told(plant):
    def notes(table):
        texts = pa.array([f"note {place}" for place in range(table.num_rows)])
        return table.append_column("note", texts)

    assert ("NEARLY-UNIQUE", "note", "info") in {a[:3] for a in plant(notes)}


def test_booleans_and_ones_and_zeros_are_one_type(months, judge_tables):
    tables = dict(list(months.items())[:4])
    for number, name in enumerate(tables):
        flags = np.arange(tables[name].num_rows) % 2
        column = pa.array(flags.astype(bool) if number % 2 else flags)
        tables[name] = tables[name].append_column("flag", column)
    found = judge_tables(tables)
    assert not [a for some in found.values() for a in some if a[0] == "TYPE-CHANGE"]


@pytest.mark.parametrize(
    ("action", "rows", "code", "severity"),
    [
        ("drop", 50, "ROWS-DROPPED", "info"),
        ("drop", 51, "ROWS-DROPPED", "warning"),
        ("quarantine", 1, "ROW-RULE", "error"),
        ("fail", 1, "ROW-RULE-FAIL", "error"),
    ],
)
def test_rows_against_a_rule_are_counted(make_spec, action, rows, code, severity):
    findings = Findings("2018-05", make_spec())
    broken = BrokenRule(rule="fare < 500", action=action, rows=rows, missing=1, of=1_000)
    check_rules([broken], findings)
    (found,) = findings.anomalies
    assert (found.code, found.severity) == (code, severity)
    assert "fare < 500 does not hold for" in found.message
    assert "1 of them because a value is missing" in found.message


def test_every_code_is_tested():
    """Here, or beside what it takes: the times of several spans, labels of another table."""
    here = Path(__file__)
    elsewhere = (
        here.parents[2] / "field" / "test_span_order.py",
        here.parent / "test_check_labels.py",
    )
    texts = (here, *elsewhere)
    text = "".join(path.read_text() for path in texts)
    assert not [code for code in ANOMALIES if code not in text]
