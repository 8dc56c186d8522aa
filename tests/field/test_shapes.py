"""Shapes of files as they were met in the field: read, or refused with the setting that helps."""

from __future__ import annotations

import json
import runpy

import pandas as pd
import pytest
import yaml


def checked(checkout):
    code, told = checkout.everfit("check", "p", "--json")
    (answer,) = json.loads(told[told.index("[") : told.rindex("]") + 1])
    return code, answer


def respell(checkout, **changes):
    path = checkout.root / "dags" / "pipelines" / "p.yaml"
    spec = yaml.safe_load(path.read_text())
    spec["source"] |= changes.pop("source", {})
    path.write_text(yaml.safe_dump({**spec, **changes}))


def test_case_15_an_index_without_a_name_is_left_out_and_said(case):
    checkout = case("15")
    code, answer = checked(checkout)
    assert (code, answer["problems"]) == (0, [])
    respell(checkout, source={"columns": None})
    code, answer = checked(checkout)
    assert (code, answer["problems"]) == (0, [])
    assert "its first column has no name" in answer["notes"][0]


def test_case_18_a_file_without_a_header_asks_for_names(case):
    checkout = case("18")
    code, answer = checked(checkout)
    assert code == 2
    assert "looks like data" in answer["problems"][0]
    assert "source.csv.names" in answer["problems"][0]
    rows = len((checkout.root / "data" / "a.csv").read_text().splitlines())
    respell(checkout, source={"csv": {"names": ["kind", "n", "amount", "risk"]}})
    _, answer = checked(checkout)
    # All of its rows are read; that the first column gives the last away is a fact of this table.
    (leak,) = answer["problems"]
    assert "TARGET-LEAK kind" in leak and f"in {rows} rows" in leak


def test_case_24_dropped_columns_of_lists_cost_nothing(case):
    code, answer = checked(case("24"))
    assert (code, answer["problems"]) == (0, [])
    assert "tags" in answer["notes"][0]


def test_case_26_one_file_without_a_holdout_is_told_of_the_fraction(case):
    code, answer = checked(case("26"))
    assert code == 2
    assert "fraction" in answer["problems"][0]


@pytest.mark.thorough
def test_case_39_two_thousand_columns_are_judged_and_none_is_passed_over(case):
    checkout = case("39")
    (checkout.root / "data").mkdir(exist_ok=True)
    runpy.run_path(str(checkout.root / "make.py"))
    code, told = checkout.everfit("run", "p")
    assert code == 0
    assert "2,000 features" in told and "PROMOTE" in told
    page = checkout.page("model_card")
    assert "further columns were only shuffled together with others" in page


def test_a_span_is_read_whatever_its_dialect(months):
    """A sibling: each month comes from another tool; run says what was found."""
    rows = pd.DataFrame({"x": range(60), "y": [value * 37 % 61 for value in range(60)]})
    checkout = months(
        {"2024-01": rows, "2024-02": rows.assign(x=rows.x + 100), "2024-03": rows},
        task="regression",
        target="y",
        gate={"metric": "mae", "superior_by": "1%", "baseline": "median"},
    )
    data = checkout.root / "data"
    text = (data / "2024-02.csv").read_text()
    (data / "2024-02.csv").write_text("Export of May\n" + text.replace(",", ";"))
    rows.assign(x=rows.x + 200).to_csv(data / "2024-03.csv")
    code, told = checkout.everfit("run", "p")
    assert code == 0, told
    assert "2024-02.csv: fields end at a semicolon" in told
    assert "2024-02.csv: 1 line above the header is left out" in told
    assert "2024-03.csv: its first column has no name" in told


def test_case_09_hive_folders_are_columns_and_months_are_spans(case):
    code, answer = checked(case("09"))
    assert (code, answer["problems"]) == (0, [])
    assert answer["newest"].startswith("month=")
    assert "are one span" in answer["notes"][0]
