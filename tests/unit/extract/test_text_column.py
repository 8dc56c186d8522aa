"""The type of a column of texts is that of nearly all its values; the odd ones are told."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from everfit.data.tables.read_numbers import NumberStyle
from everfit.data.tables.read_times import parse_times
from everfit.steps.extract.text_column import TextColumn, Wish

NUMBERS = [f"{place / 7:.4f}" for place in range(400)]


def read(texts, wish=None, style=None, pieces=1):
    """Decision, reading and values of a column that comes in pieces."""
    column = TextColumn("x", style or NumberStyle(), wish or Wish(), frozenset(["", "NA"]))
    size = max(1, -(-len(texts) // pieces))
    for place in range(0, len(texts), size):
        column.see(pa.array(texts[place : place + size], pa.string()))
    decision, told = column.decide()
    return decision, told, decision.convert(pa.array(texts, pa.string())).to_pylist()


@pytest.mark.parametrize(
    ("odd", "hint"),
    [
        (["?"], "null_values"),
        (["-"], "null_values"),
        ([" "], "source"),
        (["Total"], "source.types"),
        (["1,5"], "decimal: ','"),
        (["1,234.50"], "thousands: ','"),
        (["$1,234.50"], "currency: '$'"),
        (["?", "-", " "], "null_values"),
    ],
)
def test_odd_cells_of_a_number_column_are_missing_and_told(odd, hint):
    decision, told, values = read([*NUMBERS, *odd])
    assert decision.type == "float" and values[-1] is None and values[7] == 1.0
    assert (told.kind, told.odd, told.values) == ("unreadable", len(odd), 400 + len(odd))
    assert all(f"'{text}'" in told.message for text in odd)
    assert hint in told.todo


@pytest.mark.parametrize(
    ("texts", "setting", "style", "value"),
    [
        (["0,5", "1,25"], "decimal: ','", NumberStyle(","), 1.25),
        (["1,234.5", "2,000.25"], "thousands: ','", NumberStyle(".", ","), 2000.25),
        (["$5", "$1.25"], "currency: '$'", NumberStyle(".", None, "$"), 1.25),
        (["1.234,5 €", "2.000,25 €"], "currency: '€'", NumberStyle(",", ".", "€"), 2000.25),
        (["-$5", "($1,000.25)"], "currency: '$'", NumberStyle(".", ",", "$"), -1000.25),
    ],
)
def test_numbers_written_otherwise_are_hinted_at_and_read_when_named(texts, setting, style, value):
    decision, told, _ = read(texts * 50)
    assert decision.type == "string" and told.kind == "looks_like" and setting in told.todo
    decision, told, values = read(texts * 50, style=style)
    assert decision.type == "float" and told is None and values[1] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024/01/31", datetime(2024, 1, 31)),
        ("2024-1-5", datetime(2024, 1, 5)),
        ("31.01.2024", datetime(2024, 1, 31)),
        ("1.2.2024 7:05", datetime(2024, 2, 1, 7, 5)),
        ("31/01/2024 11:05 PM", datetime(2024, 1, 31, 23, 5)),
        ("01/31/2024", datetime(2024, 1, 31)),
        ("Jan 31 2024", datetime(2024, 1, 31)),
        ("January 31, 2024 10:00:00.5", datetime(2024, 1, 31, 10, 0, 0, 500_000)),
        ("Wed, 31 Jan 2024 10:00:00 +0200", datetime(2024, 1, 31, 8)),
        ("20240131T101500Z", datetime(2024, 1, 31, 10, 15)),
    ],
)
def test_common_forms_of_times_are_found_and_told(text, value):
    decision, told, values = read([text] * 20)
    assert (decision.type, values[0], told.kind) == ("timestamp", value, "read_as")
    assert text in told.message and "source.times" in told.todo


def test_days_that_do_not_exist_are_no_times():
    _, told, values = read(["28.02.2023"] * 30 + ["29.02.2023"])
    assert values[-1] is None and told.odd == 1
    assert parse_times(pa.array(["29.02.2024"]), "%d.%m.%Y").to_pylist() == [datetime(2024, 2, 29)]


def test_what_may_be_either_is_asked_about():
    decision, told, _ = read(["01/02/2024", "03/04/2024"] * 20)
    assert decision.type == "string" and told.kind == "looks_like"
    assert "'%d/%m/%Y'" in told.todo and "'%m/%d/%Y'" in told.todo
    _, _, values = read(["01/02/2024"], Wish(form="%m/%d/%Y"))
    assert values == [datetime(2024, 1, 2)]


def test_mixed_zones_need_a_zone_named():
    texts = ["2024-07-01 10:00", "2024-07-01 10:00+00:00"] * 10
    decision, told, _ = read(texts)
    assert decision.type == "string" and "source.timezone" in told.todo
    _, told, values = read(texts, Wish(zone="Europe/Berlin"))
    assert told is None and values[:2] == [datetime(2024, 7, 1, 8), datetime(2024, 7, 1, 10)]


@pytest.mark.parametrize("form", ["epoch_s", "epoch_ms", "epoch_us"])
def test_epochs_by_their_unit(form):
    unit = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}[form]
    number = 1_704_067_200 * unit
    for column in (
        pa.array([number, None]),
        pa.array([float(number), None]),
        pa.array([str(number), None]),
    ):
        assert parse_times(column, form).to_pylist() == [datetime(2024, 1, 1), None]


def test_codes_and_large_numbers_keep_their_digits():
    assert read(["007", "123"] * 20)[2][0] == "007"
    assert read(["0", "10"] * 20)[2][0] == 0
    large = [str(2**63), str(2**63 + 1)] * 20
    _, told, values = read(large)
    assert values == large and told.kind == "exact"
    assert read([str(2**63 - 1), "1"] * 20)[2][0] == 2**63 - 1


def test_truth_in_words_and_digits_is_one_type():
    decision, told, values = read(["True", "0", "false", "1"] * 10)
    assert decision.type == "boolean" and told is None
    assert values[:4] == [True, False, False, True]


def test_categories_of_which_some_are_digits_stay_text():
    decision, told, _ = read(["0", "1", "2", "3+"] * 50)
    assert decision.type == "string" and "'3+'" in told.message
    assert read(["red", "green"] * 20)[1] is None
    assert read(NUMBERS, Wish(type="string"))[0].type == "string"


TEXT = st.one_of(
    st.integers(-(2**64), 2**64).map(str),
    st.floats(allow_nan=False).map(str),
    st.dates().map(str),
    st.sampled_from(["", " ", "NA", "?", "true", "0", "007", "31.01.2024", "x", "1,5"]),
    st.text(max_size=4),
)


@hypothesis_settings(deadline=None, max_examples=60)
@given(st.lists(TEXT, min_size=1, max_size=40), st.integers(1, 7))
def test_the_outcome_never_depends_on_how_a_column_is_cut(texts, pieces):
    whole, cut = read(texts), read(texts, pieces=pieces)
    assert whole[0] == cut[0] and whole[1] == cut[1]
    assert str(whole[2]) == str(cut[2])


@hypothesis_settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_floats_come_back_as_they_were(numbers):
    _, told, values = read([repr(number) for number in numbers])
    assert told is None
    assert [float(value) for value in values] == numbers
