"""Evaluating the expression language of ``contracts.expression`` on a frame.

Missing stays missing: a comparison with a missing value is missing, not false; a division by zero
or a logarithm of a negative number is missing, never infinite.
"""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pandas as pd

from everfit.contracts.errors import UserError, shortlist
from everfit.contracts.spec.expression import columns_of, parse_expression

Value = Any  # a Series, or a constant: float, str, bool or a tuple of them


def evaluate(text: str, frame: pd.DataFrame) -> pd.Series[Any]:
    """Compute an expression for every row.

    Parameters
    ----------
    text : str
        An expression of ``contracts.expression``.
    frame : pandas.DataFrame
        (n, ...); holds every column the expression reads.

    Returns
    -------
    pandas.Series
        (n,), with the frame's index: ``float64`` (NaN where missing), nullable ``boolean``, or the
        column's own type for strings and timestamps.

    Raises
    ------
    UserError
        If a column is missing, or an operation does not fit its type.
    """
    tree = parse_expression(text)
    missing = sorted(columns_of(text) - set(frame.columns))
    if missing:
        raise UserError(
            "EXPRESSION-COLUMN",
            repr(text),
            "every column of an expression must be in the table",
            f"{shortlist(missing)} is not",
            'Correct the name, or write col("…") around it',
        )
    try:
        with np.errstate(all="ignore"):
            value = _value(tree.body, frame)
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UserError(
            "EXPRESSION-TYPE",
            repr(text),
            "an operation must fit the types of its columns",
            str(error).splitlines()[0] if str(error) else None,
            "Compare like with like",
        ) from error
    if not isinstance(value, pd.Series):
        value = pd.Series([value] * len(frame), index=frame.index)
    if pd.api.types.is_numeric_dtype(value.dtype) and value.dtype != "boolean":
        if pd.api.types.is_bool_dtype(value.dtype):
            return value.astype("boolean")
        value = value.astype("float64")
        return value.where(np.isfinite(value))
    return value


Truths = np.ndarray[Any, np.dtype[np.bool_]]


def is_true(text: str, frame: pd.DataFrame) -> Truths:
    """Rows where an expression is true; missing counts as false. Shape (n,)."""
    return truth(text, frame)[0]


def truth(text: str, frame: pd.DataFrame) -> tuple[Truths, Truths]:
    """Whether an expression is true of each row, and whether it cannot be computed for it.

    Returns
    -------
    true, missing : (n,) arrays of bool
        A number is true where it is not 0; what is missing is not true.

    Raises
    ------
    UserError
        As ``evaluate``; also where it gives texts or times.
    """
    value = evaluate(text, frame)
    missing = value.isna().to_numpy(dtype=bool)
    if value.dtype == "float64":
        return (value.fillna(0) != 0).to_numpy(dtype=bool), missing
    try:
        return value.astype("boolean").fillna(False).to_numpy(dtype=bool), missing
    except (TypeError, ValueError) as error:
        raise UserError(
            "EXPRESSION-TYPE",
            repr(text),
            "what decides about rows must be true or false for each of them",
            "it gives a text or a time",
            "Compare it with a value",
        ) from error


def _value(node: ast.expr, frame: pd.DataFrame) -> Value:
    match node:
        case ast.Constant():
            # As columns are: a whole number of Python's has no end.
            if isinstance(node.value, int) and not isinstance(node.value, bool):
                return float(node.value)
            return node.value
        case ast.Name():
            return _column(frame[node.id])
        case ast.Tuple() | ast.List():
            return [_value(item, frame) for item in node.elts]
        case ast.UnaryOp():
            return _unary(node, frame)
        case ast.BinOp():
            return _arithmetic(node.op, _value(node.left, frame), _value(node.right, frame))
        case ast.BoolOp():
            values = [_truth(_value(item, frame)) for item in node.values]
            result = values[0]
            for value in values[1:]:
                result = result & value if isinstance(node.op, ast.And) else result | value
            return result
        case ast.Compare():
            return _compare(node, frame)
        case ast.Call():
            return _call(node, frame)
    raise TypeError(f"{type(node).__name__} has no value")


def _column(series: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.is_bool_dtype(series.dtype):
        return series.astype("boolean")
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series.astype("float64")
    return series


def _number(value: Value) -> Value:
    if isinstance(value, pd.Series) and value.dtype == "boolean":
        return value.astype("Float64").astype("float64")
    if isinstance(value, str) or (isinstance(value, pd.Series) and value.dtype != "float64"):
        raise TypeError("arithmetic needs numbers")
    return value


def _truth(value: Value) -> Value:
    if isinstance(value, pd.Series) and value.dtype != "boolean":
        return (value != 0).astype("boolean").mask(value.isna())
    return value


def _unary(node: ast.UnaryOp, frame: pd.DataFrame) -> Value:
    value = _value(node.operand, frame)
    if isinstance(node.op, ast.Not):
        truth = _truth(value)
        return ~truth if isinstance(truth, pd.Series) else not truth
    number = _number(value)
    return -number if isinstance(node.op, ast.USub) else number


def _arithmetic(op: ast.operator, left: Value, right: Value) -> Value:
    left, right = _number(left), _number(right)
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return _finite(left / _nonzero(right))
        case ast.FloorDiv():
            return _finite(left // _nonzero(right))
        case ast.Mod():
            return _finite(left % _nonzero(right))
    raise TypeError(f"{type(op).__name__} is not an operation")


def _nonzero(value: Value) -> Value:
    if isinstance(value, pd.Series):
        return value.where(value != 0)
    return value if value != 0 else float("nan")


def _finite(value: Value) -> Value:
    return value.where(np.isfinite(value)) if isinstance(value, pd.Series) else value


def _compare(node: ast.Compare, frame: pd.DataFrame) -> Value:
    left = _value(node.left, frame)
    result: Value = None
    for op, right_node in zip(node.ops, node.comparators, strict=True):
        right = _value(right_node, frame)
        part = _comparison(op, left, right)
        result = part if result is None else result & part
        left = right
    return result


def _comparison(op: ast.cmpop, left: Value, right: Value) -> Value:
    if isinstance(op, ast.In | ast.NotIn):
        if not isinstance(left, pd.Series) or not isinstance(right, list):
            raise TypeError("'in' needs a column on the left and a list on the right")
        found = left.isin(right).astype("boolean").mask(left.isna())
        return ~found if isinstance(op, ast.NotIn) else found
    left, right = _alike(left, right)
    match op:
        case ast.Eq():
            found = left == right
        case ast.NotEq():
            found = left != right
        case ast.Lt():
            found = left < right
        case ast.LtE():
            found = left <= right
        case ast.Gt():
            found = left > right
        case ast.GtE():
            found = left >= right
        case _:
            raise TypeError(f"{type(op).__name__} is not a comparison")
    if isinstance(found, pd.Series):
        found = found.astype("boolean")
        for side in (left, right):
            if isinstance(side, pd.Series):
                found = found.mask(side.isna())
    return found


def _alike(left: Value, right: Value) -> tuple[Value, Value]:
    """Read a string constant beside a timestamp as a time."""
    for_left = isinstance(left, pd.Series) and pd.api.types.is_datetime64_any_dtype(left.dtype)
    for_right = isinstance(right, pd.Series) and pd.api.types.is_datetime64_any_dtype(right.dtype)
    if for_left and isinstance(right, str):
        right = pd.Timestamp(right)
    if for_right and isinstance(left, str):
        left = pd.Timestamp(left)
    return left, right


def _call(node: ast.Call, frame: pd.DataFrame) -> Value:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name == "col":
        argument = node.args[0]
        return _column(frame[str(argument.value)]) if isinstance(argument, ast.Constant) else None
    values = [_value(argument, frame) for argument in node.args]
    if name == "isnull":
        return pd.Series(values[0], index=frame.index).isna().astype("boolean")
    if name in ("hour", "weekday", "day", "month", "epoch", "minutes"):
        return _time_part(name, [pd.Series(value, index=frame.index) for value in values])
    if name == "where":
        return _choice(values, frame)
    numbers = [_number(value) for value in values]
    if name in ("min", "max"):
        left, right = (pd.Series(value, index=frame.index, dtype="float64") for value in numbers)
        pick = left <= right if name == "min" else left >= right
        return left.where(pick, right).mask(left.isna() | right.isna())
    function = {"abs": np.abs, "log1p": np.log1p, "sqrt": np.sqrt}[name]
    return _finite(function(pd.Series(numbers[0], index=frame.index, dtype="float64")))


def _time_part(name: str, times: list[pd.Series[Any]]) -> pd.Series[Any]:
    for series in times:
        if not pd.api.types.is_datetime64_any_dtype(series.dtype):
            raise TypeError(f"{name}() needs timestamps")
    first: Any = times[0]
    if name == "minutes":
        return (times[1] - times[0]).dt.total_seconds() / 60
    if name == "epoch":
        found: pd.Series[Any] = (first - pd.Timestamp(0, tz=first.dt.tz)).dt.total_seconds()
    else:
        found = getattr(first.dt, "dayofweek" if name == "weekday" else name).astype("float64")
    return found


def _choice(values: list[Value], frame: pd.DataFrame) -> pd.Series[Any]:
    condition, yes, no = values
    truth = pd.Series(_truth(condition), index=frame.index).astype("boolean")
    yes, no = (pd.Series(_number(value), index=frame.index, dtype="float64") for value in (yes, no))
    chosen: pd.Series[Any] = yes.where(truth.fillna(False).astype(bool), no)
    return chosen.mask(truth.isna())
