"""Rules for rows on real taxi months: what is dropped is counted, and a span or a run can end."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml

ROWS = 2_000
DISTANCE, FARE = "trip_distance > 0", "isnull(fare_amount) or fare_amount > 0"
SURCHARGE = "congestion_surcharge >= 0"
SPEC = {
    "task": "regression",
    "target": "fare_amount",
    "time": "pickup_datetime",
    "source": {
        "uri": "data/*.csv",
        "period": "%Y-%m",
        "columns": ["pickup_datetime", "trip_distance", "passenger_count", "fare_amount"],
    },
    "validation": {"rows": {DISTANCE: "drop", FARE: "drop"}},
    "gate": {"metric": "mae", "superior_by": "1%", "baseline": "median"},
}


@pytest.fixture
def taxi(months, shared_data):
    """Three real months and a pipeline with rules, which can be changed."""
    tables = {
        name: pd.read_csv(shared_data / "nyc_yellow" / f"{name}.csv").head(ROWS)
        for name in ("2018-01", "2018-02", "2018-03")
    }
    checkout = months(tables, **SPEC)

    def rules(**wanted):
        path = checkout.root / "dags" / "pipelines" / "p.yaml"
        document = yaml.safe_load(path.read_text())
        document["validation"] = wanted
        path.write_text(yaml.safe_dump(document))

    return checkout, tables, rules


def test_dropped_rows_are_counted_everywhere_and_the_same_for_window_holdout_and_monitoring(
    taxi, shared_data
):
    checkout, tables, _ = taxi
    every = pd.concat(tables.values())
    # By the text of the rules: a row is counted by the first that drops it.
    no_fare = ~(every["fare_amount"] > 0)
    no_distance = ~no_fare & ~(every["trip_distance"] > 0)
    assert no_fare.sum() > 0 and no_distance.sum() > 0
    code, told = checkout.everfit("run", "p")
    assert code == 0, told
    for rule, lost in ((FARE, no_fare), (DISTANCE, no_distance)):
        phrase = f"for which the rule {rule} does not hold"
        assert f"left out: {lost.sum():,} rows" in told and phrase in told
        for page in ("data_report", "decision_report"):
            assert phrase.replace(">", "&gt;") in checkout.page(page)
    judged = tables["2018-03"]
    held = int(((judged["fare_amount"] > 0) & (judged["trip_distance"] > 0)).sum())
    kept = int((~no_fare & ~no_distance).sum())
    assert f"{kept - held:,} rows to train on, {held:,} to judge on" in told

    april = pd.read_csv(shared_data / "nyc_yellow" / "2018-04.csv").head(ROWS)
    april.to_csv(checkout.root / "data" / "2018-04.csv", index=False)
    code, told = checkout.everfit("monitor", "p")
    assert code == 0, told
    lost = (~(april["fare_amount"] > 0)).sum()
    assert f"{FARE} does not hold for {lost} of {ROWS:,}" in checkout.page(
        "monitor_report"
    ).replace("&gt;", ">")


def test_a_rule_quarantines_a_span_fails_a_run_and_counts_missing_values(taxi):
    checkout, tables, rules = taxi
    rules(rows={"passenger_count >= 1": "quarantine"})
    broken = {name: int((table["passenger_count"] < 1).sum()) for name, table in tables.items()}
    assert all(broken.values())
    code, told = checkout.everfit("run", "p")
    assert code == 2 and "ROW-RULE" in told
    rows = f"passenger_count >= 1 does not hold for {broken['2018-01']} rows of {ROWS:,}"
    assert rows in told

    rules(rows={"passenger_count >= 1": "fail", FARE: "drop"})
    code, told = checkout.everfit("run", "p")
    (line,) = [line for line in told.splitlines() if line.startswith("ROW-RULE-FAIL p: ")]
    assert code == 2 and "in 2018-01.csv (and in 2 more)" in line and "Traceback" not in told

    # The column is empty in these months, and none of the model's; nothing is left of any of them.
    rules(rows={SURCHARGE: "drop"})
    code, told = checkout.everfit("run", "p")
    assert code == 2 and "SPAN-NO-ROWS 2018-01.csv" in told
    assert f"{SURCHARGE} does not hold for {ROWS:,} of {ROWS:,} ({ROWS:,} of them missing)" in told

    rules(rows={f"isnull(congestion_surcharge) or {SURCHARGE}": "drop"})
    code, told = checkout.everfit("check", "p")
    assert code == 0, told

    rules(rows={"passenger_count >= 1": "quarantine"}, ignore=["ROW-RULE"])
    code, told = checkout.everfit("check", "p")
    assert code == 0, told


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"fare_amount <": "drop"}, "is not an expression"),
        ({"1 < 2": "drop"}, "reads no column"),
        ({"fare_amount < 500": "forget"}, "drop"),
        ({"pickup_datetime": "drop"}, "SPAN-RULE"),
        ({"fare_amonut < 500": "drop"}, "Did you mean 'fare_amount'"),
    ],
)
def test_a_rule_that_cannot_be_asked_is_one_line(taxi, rules, says):
    checkout, _, write = taxi
    write(rows=rules)
    code, told = checkout.everfit("check", "p")
    assert code == 2 and says in told and "Traceback" not in told
    assert len(told.strip().splitlines()) == 1
