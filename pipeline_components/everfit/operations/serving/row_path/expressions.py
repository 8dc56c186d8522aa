"""The expression language on one row: what ``evaluate_expression`` computes on a frame.

Only what certainly comes out the same is compiled; for anything else the rows go through a frame.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any, Literal

from everfit.contracts.spec.expression import parse_expression
from everfit.operations.serving.row_path.functions import (
    NAN,
    TIME_PARTS,
    Get,
    NotCompiled,
    Row,
    choice,
    extreme,
    finite,
    function,
    is_missing,
    is_null,
    time_part,
)

Kind = Literal["number", "truth", "text", "time"]


@dataclass(frozen=True)
class Node:
    """A part of an expression: its value for a row, or a constant.

    Attributes
    ----------
    kind : str
        A ``number`` is NaN where missing; a truth, text or time is None.
    get : callable
    constant : object
        None where it is none.
    """

    kind: Kind
    get: Get
    constant: Any = None


def compiled(text: str, kinds: Mapping[str, Kind]) -> Node:
    """An expression as a function of a row.

    Parameters
    ----------
    text : str
        An expression of ``contracts.spec.expression``.
    kinds : mapping
        Column → kind of its value.

    Raises
    ------
    NotCompiled
        If it holds what is only computed on frames.

    Examples
    --------
    >>> compiled("where(size > 2, size, 0) * 10", {"size": "number"}).get({"size": 3.0})
    30.0
    """
    node = _node(parse_expression(text).body, kinds)
    get = node.get
    if node.constant is not None:
        raise NotCompiled(f"{text!r} is a constant")
    if node.kind == "number":
        return Node("number", lambda row: finite(get(row)))
    if node.kind == "truth":  # as a derived column holds it
        return Node("number", _as_number(node).get)
    return node


def _node(node: ast.expr, kinds: Mapping[str, Kind]) -> Node:
    match node:
        case ast.Constant():
            return _constant(node.value)
        case ast.Name():
            return _column(node.id, kinds)
        case ast.UnaryOp():
            return _unary(node, kinds)
        case ast.BinOp():
            return _arithmetic(node, kinds)
        case ast.BoolOp():
            return _logic(node, kinds)
        case ast.Compare():
            return _compare(node, kinds)
        case ast.Call():
            return _call(node, kinds)
    raise NotCompiled(f"{type(node).__name__} is computed on frames")


def _constant(value: Any) -> Node:
    if isinstance(value, bool):
        return Node("truth", lambda row: value, value)  # noqa: ARG005
    if isinstance(value, str):
        return Node("text", lambda row: value, value)  # noqa: ARG005
    number = float(value)
    return Node("number", lambda row: number, number)  # noqa: ARG005


def _column(name: str, kinds: Mapping[str, Kind]) -> Node:
    if name not in kinds:
        raise NotCompiled(f"there is no column {name}")
    return Node(kinds[name], lambda row: row[name])


def _as_number(node: Node) -> Node:
    get = node.get
    if node.kind == "number":
        return node
    if node.kind != "truth":
        raise NotCompiled("arithmetic with a text or a time")
    if node.constant is not None:
        return _constant(float(node.constant))

    def number(row: Row) -> float:
        value = get(row)
        return NAN if value is None else float(value)

    return Node("number", number)


def _as_truth(node: Node) -> Get:
    get = node.get
    if node.constant is not None or node.kind not in ("truth", "number"):
        raise NotCompiled("a truth of a constant, a text or a time")
    if node.kind == "truth":
        return get

    def truth(row: Row) -> bool | None:
        value: float = get(row)
        return None if isnan(value) else value != 0

    return truth


def _unary(node: ast.UnaryOp, kinds: Mapping[str, Kind]) -> Node:
    inner = _node(node.operand, kinds)
    if isinstance(node.op, ast.Not):
        truth = _as_truth(inner)

        def negated(row: Row) -> bool | None:
            value = truth(row)
            return None if value is None else not value

        return Node("truth", negated)
    number = _as_number(inner)
    if isinstance(node.op, ast.UAdd):
        return number
    if number.constant is not None:
        return _constant(-number.constant)
    get = number.get
    return Node("number", lambda row: -get(row))


def _arithmetic(node: ast.BinOp, kinds: Mapping[str, Kind]) -> Node:
    left, right = (_as_number(_node(side, kinds)) for side in (node.left, node.right))
    a, b = left.get, right.get
    found = _OPERATIONS.get(type(node.op))
    if found is None:
        raise NotCompiled(f"{type(node.op).__name__} is computed on frames")
    get = found(a, b)
    if left.constant is not None and right.constant is not None:
        return _constant(get({}))
    return Node("number", get)


def _divided(a: Get, b: Get) -> Get:
    def get(row: Row) -> float:
        by = b(row)
        return NAN if by == 0 else finite(a(row) / by)

    return get


def _floored(a: Get, b: Get) -> Get:
    def get(row: Row) -> float:
        by = b(row)
        return NAN if by == 0 else finite(a(row) // by)

    return get


def _remainder(a: Get, b: Get) -> Get:
    def get(row: Row) -> float:
        by = b(row)
        return NAN if by == 0 else finite(a(row) % by)

    return get


_OPERATIONS: dict[type[ast.operator], Callable[[Get, Get], Get]] = {
    ast.Add: lambda a, b: lambda row: a(row) + b(row),
    ast.Sub: lambda a, b: lambda row: a(row) - b(row),
    ast.Mult: lambda a, b: lambda row: a(row) * b(row),
    ast.Div: _divided,
    ast.FloorDiv: _floored,
    ast.Mod: _remainder,
}


def _logic(node: ast.BoolOp, kinds: Mapping[str, Kind]) -> Node:
    """Missing where the others do not decide it."""
    truths = [_as_truth(_node(item, kinds)) for item in node.values]
    decides = isinstance(node.op, ast.Or)

    def get(row: Row) -> bool | None:
        found: bool | None = not decides
        for truth in truths:
            value = truth(row)
            if value is None:
                found = None if found is not decides else decides
            elif value == decides:
                found = decides
        return found

    return Node("truth", get)


def _compare(node: ast.Compare, kinds: Mapping[str, Kind]) -> Node:
    left = _node(node.left, kinds)
    parts: list[Get] = []
    for op, right_node in zip(node.ops, node.comparators, strict=True):
        if isinstance(op, ast.In | ast.NotIn):
            if len(node.ops) > 1:
                raise NotCompiled("'in' within a chain is computed on frames")
            return Node("truth", _member(left, right_node, kinds, isinstance(op, ast.NotIn)))
        right = _node(right_node, kinds)
        parts.append(_comparison(op, left, right))
        left = right
    if len(parts) == 1:
        return Node("truth", parts[0])

    def chain(row: Row) -> bool | None:
        found: bool | None = True
        for part in parts:
            value = part(row)
            if value is False:
                return False
            found = None if value is None else found
        return found

    return Node("truth", chain)


def _comparison(op: ast.cmpop, left: Node, right: Node) -> Get:
    if left.constant is not None and right.constant is not None:
        raise NotCompiled("constants are compared on frames")
    left, right = _time_beside(left, right), _time_beside(right, left)
    if "truth" in (left.kind, right.kind):
        left, right = _as_number(left), _as_number(right)
    equal = isinstance(op, ast.Eq | ast.NotEq)
    if left.kind != right.kind or (left.kind == "text" and not equal):
        raise NotCompiled("values of two types, or the order of texts, are compared on frames")
    found = _COMPARISONS.get(type(op))
    if found is None:
        raise NotCompiled(f"{type(op).__name__} is computed on frames")
    a, b = left.get, right.get

    def get(row: Row) -> bool | None:
        one, other = a(row), b(row)
        if is_missing(one) or is_missing(other):
            return None
        return found(one, other)

    return get


_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: lambda a, b: bool(a == b),
    ast.NotEq: lambda a, b: bool(a != b),
    ast.Lt: lambda a, b: bool(a < b),
    ast.LtE: lambda a, b: bool(a <= b),
    ast.Gt: lambda a, b: bool(a > b),
    ast.GtE: lambda a, b: bool(a >= b),
}


def _time_beside(node: Node, other: Node) -> Node:
    """A constant text beside a time, read as one."""
    if node.constant is None or node.kind != "text" or other.kind != "time":
        return node
    import pandas as pd

    moment = pd.Timestamp(node.constant)
    if pd.isna(moment) or moment.tzinfo is not None or moment.nanosecond:
        raise NotCompiled("a constant time with a zone or nanoseconds is compared on frames")
    plain = moment.to_pydatetime()
    return Node("time", lambda row: plain, plain)  # noqa: ARG005


def _member(left: Node, listed: ast.expr, kinds: Mapping[str, Kind], negated: bool) -> Get:
    if not isinstance(listed, ast.Tuple | ast.List) or left.constant is not None:
        raise NotCompiled("'in' needs a column and a list")
    items = [_node(item, kinds) for item in listed.elts]
    if left.kind not in ("number", "text") or any(item.kind != left.kind for item in items):
        raise NotCompiled("'in' with values of several types is computed on frames")
    values, get = frozenset(item.constant for item in items), left.get

    def found(row: Row) -> bool | None:
        value = get(row)
        if is_missing(value):
            return None
        return (value in values) != negated

    return found


def _call(node: ast.Call, kinds: Mapping[str, Kind]) -> Node:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name == "col":
        argument = node.args[0]
        return _column(str(argument.value) if isinstance(argument, ast.Constant) else "", kinds)
    arguments = [_node(argument, kinds) for argument in node.args]
    if name == "isnull":
        if arguments[0].constant is not None:
            raise NotCompiled("isnull() of a constant is computed on frames")
        return Node("truth", is_null(arguments[0].get))
    if name in TIME_PARTS or name == "minutes":
        if any(one.kind != "time" for one in arguments):
            raise NotCompiled(f"{name}() needs times")
        return Node("number", time_part(name, [one.get for one in arguments]))
    if name == "where":
        return Node("number", choice(_as_truth(arguments[0]), *_numbers(arguments[1:])))
    numbers = _numbers(arguments)
    if name in ("min", "max"):
        return Node("number", extreme(name == "min", *numbers))
    if name not in ("abs", "sqrt", "log1p"):
        raise NotCompiled(f"{name}() is computed on frames")
    return Node("number", function(name, numbers[0]))


def _numbers(nodes: list[Node]) -> list[Get]:
    return [_as_number(node).get for node in nodes]
