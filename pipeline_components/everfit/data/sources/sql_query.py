"""A source's query is one SELECT: what can be told from its text, before any database reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from everfit.contracts.errors import SourceError

_CHANGES = frozenset(("insert", "update", "delete", "merge", "drop", "alter", "create", "truncate"))
_TOKEN = re.compile(
    r"""
    (?P<skip>\s+|--[^\n]*(?:\n|$))
    | (?P<comment>/\*)
    | (?P<dollar>\$(?P<tag>[A-Za-z_]\w*)?\$)
    | (?P<quote>['"`])
    | (?P<word>[A-Za-z_]\w*)
    | (?P<mark>[();\[\]])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def check_query(query: str) -> None:
    """Make sure that a query is one SELECT, and nothing beside it.

    Parameters
    ----------
    query : str
        As the spec has it; a semicolon at its end is allowed.

    Raises
    ------
    SourceError
        ``SOURCE-QUERY``, with what was found instead.

    Examples
    --------
    >>> check_query("WITH a AS (SELECT ';') SELECT * FROM a;")
    >>> check_query("SELECT 1) AS x; DROP TABLE t; --")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    everfit.contracts.errors.SourceError: SOURCE-QUERY source.query: a query must be one SELECT; ...
    """
    text = query.strip().rstrip(";").rstrip()
    # A backslash before a quote is a letter to one database and hides the quote from another: the
    # text must be one SELECT to both.
    for escapes in {False, "\\'" in text or '\\"' in text}:
        found = _problem(text, escapes=escapes)
        if found:
            raise SourceError(
                "SOURCE-QUERY",
                "source.query",
                "a query must be one SELECT",
                found,
                "Write one SELECT (WITH … SELECT, too); what changes data belongs into a job of "
                "its own",
            )


def _problem(text: str, *, escapes: bool) -> str:
    """The first thing in it that is not of one SELECT; empty where there is none."""
    depth = 0
    begins = True
    try:
        for kind, piece in _tokens(text, escapes):
            word = piece.lower() if kind == "word" else ""
            if depth == 0 and begins and piece != "(":
                if word not in ("select", "with", "values", "table"):
                    return f"it begins with {piece[:30]!r}"
                begins = False
            elif begins and word in _CHANGES:
                return f"it holds {piece.upper()}"
            elif piece != "(":
                begins = False
            if word == "into":
                return "it holds INTO, which writes"
            if piece == ";":
                return "a second statement follows a semicolon"
            if piece == "(":
                depth, begins = depth + 1, True
            elif piece == ")":
                depth, begins = depth - 1, False
                if depth < 0:
                    return "a parenthesis closes that nothing opened"
    except ValueError as error:
        return str(error)
    if depth:
        return "a parenthesis is never closed"
    return "it is empty" if begins else ""


def _tokens(text: str, escapes: bool) -> Iterator[tuple[str, str]]:
    """Words, parentheses and semicolons outside of texts and comments."""
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError("it cannot be read")
        at = match.end()
        if match["comment"]:
            at = _comment_end(text, at)
        elif match["dollar"]:
            end = text.find(match["dollar"], at)
            if end < 0:
                raise ValueError("a text is never closed")
            at = end + len(match["dollar"])
            yield "text", ""
        elif match["quote"]:
            at = _quote_end(text, at, match["quote"], escapes)
            yield "text", ""
        elif not match["skip"]:
            yield ("word" if match["word"] else "mark"), match.group(0)


def _comment_end(text: str, at: int) -> int:
    """Where a comment ends; refused where databases that nest comments would disagree."""
    end = text.find("*/", at)
    if end < 0:
        raise ValueError("a comment is never closed")
    if "/*" in text[at:end] or text.startswith("!", at):
        raise ValueError("it holds a comment in a comment, or one that a database would run")
    return end + 2


def _quote_end(text: str, at: int, quote: str, escapes: bool) -> int:
    while at < len(text):
        if escapes and text[at] == "\\":
            at += 2
        elif text[at] == quote:
            if text.startswith(quote, at + 1):
                at += 2
                continue
            return at + 1
        else:
            at += 1
    raise ValueError("a text is never closed")
