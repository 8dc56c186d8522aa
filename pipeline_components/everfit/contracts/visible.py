"""A value of the data as a person can see it: in quotes, its invisible characters spelt out."""

from __future__ import annotations

import unicodedata

MOST = 40
"""Characters shown of a long text."""


def visible(text: object) -> str:
    r"""A text in quotes; what cannot be seen is written by its code.

    Examples
    --------
    >>> visible(" Yes"), visible("Yes\u00a0"), visible("a\tb"), visible("\u200bid")
    ("' Yes'", "'Yes\\u00a0'", "'a\\tb'", "'\\u200bid'")
    >>> visible("x" * 60) == "'" + "x" * 39 + "…'"
    True
    """
    shown = str(text)
    if len(shown) > MOST:
        shown = shown[: MOST - 1] + "…"
    return "'" + "".join(_spelt(mark) for mark in shown) + "'"


def hidden_marks(text: str) -> bool:
    r"""Whether a text has white space at an end, or characters that cannot be seen.

    Examples
    --------
    >>> hidden_marks("Yes"), hidden_marks(" Yes"), hidden_marks("a\u00a0b"), hidden_marks("a b")
    (False, True, True, False)
    """
    return text != text.strip() or any(_spelt(mark) != mark for mark in text)


def _spelt(mark: str) -> str:
    plain = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
    if mark in plain:
        return plain[mark]
    kind = unicodedata.category(mark)
    if (kind.startswith(("C", "Z")) and mark != " ") or mark == "\ufeff":
        return f"\\u{ord(mark):04x}" if ord(mark) < 0x10000 else f"\\U{ord(mark):08x}"
    return mark
