"""Texts as numbers, in the way a file writes them: what is none is missing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Truths = np.ndarray[Any, np.dtype[np.bool_]]

_PLAIN = r"^(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"
_WORD = r"(?i)^[-+]?(inf|infinity|nan)$"


@dataclass(frozen=True)
class NumberStyle:
    """How numbers are written."""

    decimal: str = "."
    thousands: str | None = None
    currency: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether a parser of plain numbers reads them."""
        return self.decimal == "." and not self.thousands and not self.currency

    def plainly(self, texts: Any) -> Any:
        """The texts as plain numbers are written, null where they are none.

        Parameters
        ----------
        texts : pyarrow.Array of string

        Returns
        -------
        pyarrow.Array of string
        """
        trimmed = pc.utf8_trim_whitespace(texts)
        negative = None
        bare = trimmed
        if self.currency:
            mark = re.escape(self.currency)
            negative = pc.match_substring_regex(trimmed, r"^-|^\(.*\)$")
            bare = pc.replace_substring_regex(trimmed, r"^\((.*)\)$", r"\1")
            bare = pc.replace_substring_regex(bare, rf"^[-+]?\s*(?:{mark}\s*)?[-+]?", "")
            bare = pc.replace_substring_regex(bare, rf"\s*{mark}$", "")
            inner = pc.match_substring_regex(trimmed, rf"^{mark}\s*-")
            negative = pc.or_(negative, inner)
        else:
            negative = pc.match_substring(pc.utf8_slice_codeunits(trimmed, 0, 1), "-")
            bare = pc.replace_substring_regex(trimmed, r"^[-+]", "")
        if self.thousands:
            mark, point = re.escape(self.thousands), re.escape(self.decimal)
            if self.thousands.isspace():
                mark = r"[\s\x{00a0}\x{202f}]"
            grouped = pc.match_substring_regex(bare, rf"^\d{{1,3}}({mark}\d{{3}})+({point}\d*)?$")
            bare = pc.if_else(grouped, pc.replace_substring_regex(bare, mark, ""), bare)
        if self.decimal != ".":
            # A point is no decimal mark here: such a text is no number.
            bare = pc.replace_substring(bare, ".", "?")
            bare = pc.replace_substring(bare, self.decimal, ".")
        fine = pc.match_substring_regex(bare, _PLAIN)
        signed = pc.if_else(negative, pc.binary_join_element_wise("-", bare, ""), bare)
        word = pc.match_substring_regex(trimmed, _WORD)
        signed = pc.if_else(word, pc.replace_substring_regex(trimmed, r"^\+", ""), signed)
        return pc.if_else(pc.or_(fine, word), signed, pa.scalar(None, pa.string()))


def floats(plain: Any) -> Any:
    """Plain number texts as ``float64``; one too large is infinite."""
    try:
        return plain.cast(pa.float64())
    except pa.ArrowInvalid:
        values = [None if text is None else float(text) for text in plain.to_pylist()]
        return pa.array(values, pa.float64())


def are_whole(plain: Any) -> Truths:
    """Which plain texts are whole numbers, written without a point. Shape (n,)."""
    return _truths(pc.match_substring_regex(plain, r"^-?\d+$"))


def have_leading_zero(plain: Any) -> Truths:
    """Which plain texts are digits that begin with a zero, as codes do. Shape (n,)."""
    return _truths(pc.match_substring_regex(plain, r"^-?0\d+$"))


def are_beyond(plain: Any) -> Truths:
    """Which whole numbers do not fit 64 bits with a sign. Shape (n,)."""
    long = _truths(pc.match_substring_regex(plain, r"^-?\d{19,}$"))
    if long.any():
        for place in np.flatnonzero(long).tolist():
            number = int(plain[place].as_py())
            long[place] = not -(2**63) <= number < 2**63
    return long


def _truths(found: Any) -> Truths:
    truths: Truths = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    return truths.copy()
