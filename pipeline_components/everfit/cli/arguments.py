"""Arguments that several commands take."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from everfit.contracts.errors import EverfitError, UserError


def from_one(text: str) -> int:
    """The value of an option that counts something.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is not a whole number from 1.
    """
    if not (text.isascii() and text.isdecimal()) or not int(text):
        raise argparse.ArgumentTypeError(f"a number from 1; found {text[:20]!r}")
    return int(text)


def add_who_and_why(parser: argparse.ArgumentParser, *, reason_required: bool = True) -> None:
    """The options of every command by which a person decides."""
    parser.add_argument(
        "--reason",
        required=reason_required,
        default="",
        metavar="TEXT",
        help="why; kept in the ledger",
    )
    parser.add_argument(
        "--by", metavar="PERSON", help="for whom you decide; your login is recorded"
    )


def moment(text: str, flag: str) -> datetime:
    """``2018-01``, ``2018-01-31`` or a whole ISO time; UTC where it names no zone.

    Raises
    ------
    UserError
        If it is none of these.
    """
    try:
        whole = f"{text}-01" if re.fullmatch(r"\d{4}-\d{2}", text) else text
        found = datetime.fromisoformat(whole)
    except ValueError:
        raise UserError(
            "TIME",
            flag,
            "a time is written 2018-01, 2018-01-31 or 2018-01-31T14:00",
            f"it is {text[:40]!r}",
            "Write it like that; without a zone it is UTC",
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def target_unit(name: str, specs: Path) -> str | None:
    """The unit of a pipeline's target; None where its YAML has none, or cannot be read."""
    from everfit.contracts.spec.load import find_spec, load_spec

    try:
        return load_spec(find_spec(specs, name)).target.unit
    except EverfitError:
        return None


def add_window(parser: argparse.ArgumentParser) -> None:
    """The option that replaces the spec's window."""
    parser.add_argument(
        "--window", metavar="N|all", help="train on so many spans, instead of the spec's number"
    )


def window_of(text: str | None) -> int | Literal["all"] | None:
    """Its value.

    Raises
    ------
    UserError
        If it is neither a number of spans nor ``all``.
    """
    if text is None:
        return None
    if text == "all":
        return "all"
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise UserError(
        "WINDOW",
        "--window",
        "a window is a number of spans or all",
        f"it is {text!r}",
        "Give --window 6, say",
    )
