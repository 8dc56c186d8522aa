"""The expression language against pandas and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.errors import UserError
from everfit.contracts.spec.expression import columns_of, parse_expression
from everfit.data.tables.evaluate_expression import evaluate, is_true

FRAME = pd.DataFrame(
    {
        "a": [1.0, 2.0, np.nan, -4.0],
        "b": [0, 1, 2, 3],
        "s": pd.Series(["x", "y", None, "x"], dtype="str"),
        "t": pd.to_datetime(["2018-01-01 10:00", "2018-01-02 11:30", None, "2018-03-04 23:59"]),
        "u": pd.to_datetime(["2018-01-01 10:30", "2018-01-02 11:00", "2018-01-01 00:00", None]),
        "flag": [True, False, True, False],
        "Trip Miles": [1.0, 2.0, 3.0, 4.0],
    }
)
N = None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b * 2", [1, 4, N, 2]),
        ("a / b", [N, 2, N, -4 / 3]),
        ("b % 2", [0, 1, 0, 1]),
        ("b // 2", [0, 0, 1, 1]),
        ("-a", [-1, -2, N, 4]),
        ("abs(a)", [1, 2, N, 4]),
        ("sqrt(a)", [1, 2**0.5, N, N]),
        ("log1p(a)", [np.log(2), np.log(3), N, N]),
        ("minutes(t, u)", [30, -30, N, N]),
        ("hour(t)", [10, 11, N, 23]),
        ("weekday(t)", [0, 1, N, 6]),
        ("month(t)", [1, 1, N, 3]),
        ("day(t)", [1, 2, N, 4]),
        ("epoch(t)", [1514800800, 1514892600, N, 1520207940]),
        ("min(a, b)", [0, 1, N, -4]),
        ("max(a, 1)", [1, 2, N, 1]),
        ("where(a > 1, 10, b)", [0, 10, N, 3]),
        ('col("Trip Miles") * 2', [2, 4, 6, 8]),
        ("flag * 2", [2, 0, 2, 0]),
    ],
)
def test_numbers(text: str, expected: list[float | None]) -> None:
    found = evaluate(text, FRAME)
    assert found.dtype == "float64"
    np.testing.assert_allclose(found, [np.nan if v is None else v for v in expected])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > 1", [False, True, N, False]),
        ("a != 1", [False, True, N, True]),
        ("0 < a < 2", [True, False, N, False]),
        ("s == 'x'", [True, False, N, True]),
        ("s in ('x', 'z')", [True, False, N, True]),
        ("b not in (0, 1)", [False, False, True, True]),
        ("t >= '2018-01-02'", [False, True, N, True]),
        ("a > 1 or b == 2", [False, True, True, False]),
        ("a > 1 and b > 1", [False, False, N, False]),
        ("not flag", [False, True, False, True]),
        ("isnull(s)", [False, False, True, False]),
    ],
)
def test_truths_keep_what_is_missing_missing(text: str, expected: list[bool | None]) -> None:
    assert [None if pd.isna(v) else bool(v) for v in evaluate(text, FRAME)] == expected
    assert is_true(text, FRAME).tolist() == [bool(v) for v in expected]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a.__class__",
        "a[0]",
        "lambda: 1",
        "[x for x in a]",
        "f'{a}'",
        "open('x')",
        "a if b else c",
        "a := 1",
        "b''",
        "1j",
        "print(a)",
        "abs(a, b)",
        "abs(x=a)",
        "col(a)",
        "",
        "a b",
        "a" * 501,
        "None",
        "...",
        "*a",
        "a @ b",
        "a << 2",
        "2 ** 999999",
    ],
)
def test_nothing_else_parses(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_expression(text)


def test_columns_are_found_and_functions_are_not() -> None:
    assert columns_of('abs(a) + col("Trip Miles") > min(b, 2)') == {"a", "b", "Trip Miles"}


def test_a_missing_column_and_a_wrong_type_are_one_line_each() -> None:
    with pytest.raises(UserError, match=r"EXPRESSION-COLUMN .* c is not"):
        evaluate("c + 1", FRAME)
    with pytest.raises(UserError, match=r"EXPRESSION-TYPE"):
        evaluate("s + 1", FRAME)
    with pytest.raises(UserError, match=r"EXPRESSION-TYPE"):
        evaluate("hour(a)", FRAME)


@given(st.text(alphabet="abs()+-*/<>=. 01_,'\"[]and or not", max_size=40))
def test_any_text_parses_or_says_why(text: str) -> None:
    try:
        parse_expression(text)
    except ValueError as error:
        assert str(error)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(-100, 100))
def test_arithmetic_is_numpys(values: list[float], constant: float) -> None:
    frame = pd.DataFrame({"x": values})
    found = evaluate(f"x * 2 + ({constant!r}) - x", frame)
    np.testing.assert_allclose(found, np.array(values) * 2 + constant - np.array(values))


@pytest.mark.parametrize(
    "text",
    [
        "['x']*1000000000",
        "a + ['x']",
        "abs(('x', 'y'))",
        "a in [['x']]",
        "a in [a]",
        "a in [1 * 2]",
        "1" * 400,
        "a < 1e999",
        "a * " + "9" * 310,
        "-" * 490 + "a",
        "not " * 100 + "a",
        "abs(" * 40 + "a" + ")" * 40,
        "(" * 60 + "a" + " + 1)" * 60,
    ],
)
def test_what_takes_memory_or_depth_without_bound_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"holds|within each other|is not an expression"):
        parse_expression(text)


@pytest.mark.parametrize("text", ["a + 1 / 0", "a < 9e299 * 9e299", "a + 7 % 0", "min(1, a)"])
def test_arithmetic_of_constants_ends_in_a_number_or_in_nothing(text: str) -> None:
    assert len(evaluate(text, FRAME)) == len(FRAME)


def test_a_list_may_hold_negative_numbers() -> None:
    assert evaluate("a in [-4, 'x']", FRAME).tolist() == [False, False, pd.NA, True]
