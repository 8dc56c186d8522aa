"""The weight of a row: a column, or an expression over columns."""

from __future__ import annotations

import ast
from collections.abc import Collection

from everfit.contracts.spec.expression import columns_of, parse_expression


def checked_weight(text: str | None) -> str | None:
    """The same, where it is an expression that reads a column.

    Raises
    ------
    ValueError
        If it is none.
    """
    if text is None:
        return None
    try:
        parse_expression(text)
    except ValueError as error:
        raise ValueError(
            f'{error}; a column whose name is no word is written col("its name")'
        ) from None
    if not columns_of(text):
        raise ValueError(f"{text!r} reads no column, so it weighs no row otherwise than another")
    return text


def weight_column(text: str | None, keep: Collection[str] = ()) -> str | None:
    """The column that is a weight and nothing else, which no model is shown.

    Parameters
    ----------
    text : str or None
        The weight, as the spec has it.
    keep : collection of str
        Columns that are features all the same.

    Returns
    -------
    str or None
        None where the weight is computed from columns, which stay what they are.

    Examples
    --------
    >>> weight_column("sample_weight"), weight_column('col("Case Weight")')
    ('sample_weight', 'Case Weight')
    >>> weight_column("sample_weight", keep=["sample_weight"]) is None
    True
    >>> weight_column("where(rare, 5, 1)") is None
    True
    """
    if text is None:
        return None
    body = parse_expression(text).body
    alone = isinstance(body, ast.Name) or (
        isinstance(body, ast.Call) and isinstance(body.func, ast.Name) and body.func.id == "col"
    )
    (name, *_) = sorted(columns_of(text))
    return name if alone and name not in keep else None
