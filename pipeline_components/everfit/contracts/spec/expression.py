"""The small expression language of a spec: derived columns, filters, slices and targets.

Arithmetic, comparisons, ``and``/``or``/``not``, column names, numbers, strings and the functions
below; nothing else parses, so an expression can compute and do nothing more. Columns whose names
are not Python names are written ``col("Trip Miles")``. Evaluation lives with the components
(``everfit/data/tables/evaluate_expression.py``); here it is only parsed and checked.
"""

from __future__ import annotations

import ast

FUNCTIONS: dict[str, tuple[int, str]] = {
    "abs": (1, "absolute value"),
    "log1p": (1, "natural logarithm of 1 + x; missing below -1"),
    "sqrt": (1, "square root; missing below 0"),
    "minutes": (2, "minutes from the first timestamp to the second"),
    "hour": (1, "hour of the day of a timestamp, 0 to 23"),
    "weekday": (1, "day of the week of a timestamp, Monday 0"),
    "day": (1, "day of the month of a timestamp"),
    "month": (1, "month of a timestamp"),
    "epoch": (1, "seconds from 1970-01-01 UTC to a timestamp"),
    "isnull": (1, "true where missing"),
    "min": (2, "the smaller of two"),
    "max": (2, "the larger of two"),
    "where": (3, "the second where the first is true, else the third"),
    "col": (1, "the column of that name, for names that are not Python names"),
}
"""name → (number of arguments, what it gives)."""

MAX_LENGTH = 500
"""Characters of an expression."""

MAX_DEPTH = 30
"""Operations within each other: each takes room of its own where it is computed."""

LARGEST = 1e300
"""The largest number that may be written: what is computed with it is a 64-bit number."""

_NODES = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.Name,
    ast.Load,
    ast.Constant,
    ast.Call,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.Mod,
    ast.FloorDiv,
    ast.USub,
    ast.UAdd,
    ast.Not,
    ast.And,
    ast.Or,
    ast.Eq,
    ast.NotEq,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.In,
    ast.NotIn,
    ast.Tuple,
    ast.List,
)


def parse_expression(text: str) -> ast.Expression:
    """Parse and check an expression.

    Raises
    ------
    ValueError
        With a sentence that says which part is not of the language.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"an expression has at most {MAX_LENGTH} characters, this has {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"{text!r} is not an expression") from None
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            raise ValueError(f"{text!r} uses {type(node).__name__}, which is not allowed here")
        if isinstance(node, ast.Constant):
            _check_constant(text, node.value)
        if isinstance(node, ast.Call):
            _check_call(text, node)
    _check_lists(text, tree)
    _check_depth(text, tree)
    return tree


def _check_constant(text: str, value: object) -> None:
    if not isinstance(value, (int, float, str, bool)):
        raise ValueError(f"{text!r} holds a constant that is no number, string or boolean")
    if not isinstance(value, str) and not abs(value) <= LARGEST:
        raise ValueError(f"{text!r} holds a number beyond {LARGEST:g}")


def _check_lists(text: str, tree: ast.Expression) -> None:
    """A list is what a column is looked up in, and holds constants: nothing is computed with it."""
    looked_up = {
        id(right)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        for op, right in zip(node.ops, node.comparators, strict=True)
        if isinstance(op, ast.In | ast.NotIn)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Tuple | ast.List):
            continue
        if id(node) not in looked_up:
            raise ValueError(f"{text!r} holds a list elsewhere than after 'in'")
        if not all(_is_constant(item) for item in node.elts):
            raise ValueError(f"{text!r} holds a list of more than numbers, strings and booleans")


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        node = node.operand
    return isinstance(node, ast.Constant)


def _check_depth(text: str, tree: ast.Expression) -> None:
    level: list[ast.AST] = [tree.body]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.expr)
        ]
        if not level:
            return
    raise ValueError(f"{text!r} has more than {MAX_DEPTH} operations within each other")


def _check_call(text: str, node: ast.Call) -> None:
    if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
        raise ValueError(f"{text!r} calls what is none of: {', '.join(sorted(FUNCTIONS))}")
    arity = FUNCTIONS[node.func.id][0]
    if node.keywords or len(node.args) != arity:
        raise ValueError(f"{text!r}: {node.func.id}() takes {arity} argument(s)")
    if node.func.id == "col":
        name = node.args[0]
        if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
            raise ValueError(f"{text!r}: col() takes a column's name as a string")


def columns_of(text: str) -> frozenset[str]:
    """The columns an expression reads."""
    tree = parse_expression(text)
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node not in called
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Name) and call.func.id == "col":
            argument = call.args[0]
            if isinstance(argument, ast.Constant):
                names.add(str(argument.value))
    return frozenset(names)
