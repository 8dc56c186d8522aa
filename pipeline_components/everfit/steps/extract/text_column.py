"""Which type a column of texts is of: that of nearly all of its values, the odd ones counted.

The texts of a column are seen in order, block by block, and the outcome depends on them alone and
never on where a block ends: candidates are ruled out after a fixed number of values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everfit.contracts.messages.readings import ColumnReading
from everfit.contracts.spec.table_schema import ColumnType
from everfit.contracts.spec.time_format import DAY_FIRST, FAMILIES, MONTH_FIRST
from everfit.data.tables.column_types import ARROW
from everfit.data.tables.read_numbers import (
    NumberStyle,
    are_beyond,
    are_whole,
    floats,
    have_leading_zero,
)
from everfit.data.tables.read_times import parse_times, says_zone
from everfit.steps.extract.told_columns import Told, told_of

NEARLY_ALL = 0.9
"""Share of the values, placeholders aside, that must be of a type for the column to be of it."""

AT_LEAST = 0.5
"""Share of all values that must be of it, whatever the placeholders."""

HEAD = 256
"""Values after which a form of times that not one of them has is no candidate any more."""

HOPELESS = 16_384
"""Values after which a column of which less than ``AT_LEAST`` is of any type is text."""

FEW = 20
"""Numbers with at most so many different values may be categories."""

_EXAMPLES = 5
_KEPT = 1_000

_PLACEHOLDER = (
    r"(?i)^([^\pL\pN]*|n/?a|n\.a\.|none|null|nil|nan|unknown|missing|undefined|#[a-z0-9/]+[!?]?)$"
)
"""Texts that stand for a missing value in any column."""


@dataclass(frozen=True)
class Wish:
    """What the spec says of a column."""

    type: ColumnType | None = None
    form: str | None = None
    """Format of its times."""
    zone: str | None = None
    """Zone of times written without one."""


@dataclass(frozen=True)
class Decision:
    """The type of a column, and how its texts become values of it."""

    type: ColumnType
    style: NumberStyle | None = None
    form: str | None = None
    zone: str | None = None
    plain: bool = False
    """Whether every text is what a plain parser reads."""

    @property
    def arrow(self) -> Any:
        """The Arrow type."""
        return ARROW[self.type]

    def convert(self, texts: Any) -> Any:
        """An array of texts as the column's type; null where one is not of it."""
        if self.type == "string":
            return texts
        if self.type == "timestamp" and self.form is not None:
            return parse_times(texts, self.form, self.zone)
        if self.type == "boolean":
            return _booleans(texts)
        plain = (self.style or NumberStyle()).plainly(texts)
        if self.type == "float":
            return floats(plain)
        whole = pa.array(are_whole(plain) & ~are_beyond(plain))
        return pc.if_else(whole, plain, pa.scalar(None, pa.string())).cast(pa.int64())


class TextColumn:
    """The texts of one column of a span, as they are seen.

    Parameters
    ----------
    name : str
    style : NumberStyle
        How numbers are written.
    wish : Wish
        What the spec says of it.
    nulls : frozenset of str
        Texts read as missing, also with white space around them.
    """

    def __init__(self, name: str, style: NumberStyle, wish: Wish, nulls: frozenset[str]) -> None:
        self.name, self._style, self._wish = name, style, wish
        self._nulls = pa.array(sorted(nulls), pa.string())
        self._forms = [wish.form] if wish.form else list(FAMILIES)
        self.values = self.blank = self._placeholders = 0
        self.whole = self.number = self._beyond = self._zeros = self.truth = self._words = 0
        self._times = dict.fromkeys(self._forms, 0)
        self._zoned = dict.fromkeys(self._forms, 0)
        self._distinct: set[str] = set()
        self._examples: dict[str, list[str]] = {}
        self._digits: set[str] = set()
        self.texts: dict[str, None] = {}
        self._zero_example = ""
        self.hopeless = wish.type == "string"

    def see(self, column: Any) -> None:
        """Take in the next texts."""
        if self.hopeless or column.null_count == len(column):
            return
        texts = column.drop_null() if column.null_count else column
        place = 0
        while place < len(texts) and not self.hopeless:
            room = next((end for end in (HEAD, HOPELESS) if self.values < end), None)
            take = len(texts) - place if room is None else min(room - self.values, len(texts))
            self._see(texts.slice(place, take))
            place += take
            if self.values == HEAD:
                self._forms = [form for form in self._forms if self._times[form]] or (
                    [self._wish.form] if self._wish.form else []
                )
            if self.values == HOPELESS:
                told = self.values - self.blank - self._placeholders
                self.hopeless = max(self._counts().values()) < AT_LEAST * told

    def _see(self, texts: Any) -> None:
        trimmed = pc.utf8_trim_whitespace(texts)
        missing = pc.is_in(trimmed, value_set=self._nulls)
        self.values += len(texts)
        blank = pc.equal(trimmed, "")
        self.blank += pc.sum(blank).as_py() or 0
        missing = pc.or_(missing, blank)
        if pc.any(missing).as_py():
            texts, trimmed = texts.filter(pc.invert(missing)), trimmed.filter(pc.invert(missing))
            self.values -= len(missing) - len(texts) - (pc.sum(blank).as_py() or 0)
        if not len(texts):
            return
        placeholder = pc.match_substring_regex(trimmed, _PLACEHOLDER)
        self._placeholders += pc.sum(placeholder).as_py() or 0
        plain = self._style.plainly(texts)
        number = plain.is_valid().to_numpy(zero_copy_only=False)
        whole, beyond = are_whole(plain), are_beyond(plain)
        zeros = have_leading_zero(plain)
        self.number += int(number.sum())
        self.whole += int(whole.sum())
        self._beyond += int(beyond.sum())
        self._zeros += int(zeros.sum())
        if zeros.any() and not self._zero_example:
            self._zero_example = trimmed[int(np.flatnonzero(zeros)[0])].as_py()
        truth, words = _truths(trimmed)
        self.truth += int(truth.sum())
        self._words += int(words.sum())
        self._odd("number", number, texts)
        self._odd("boolean", truth, texts)
        for form in self._forms:
            times = parse_times(texts, form)
            fine = times.is_valid().to_numpy(zero_copy_only=False)
            self._times[form] += int(fine.sum())
            self._zoned[form] += int((says_zone(texts, form) & fine).sum()) if fine.any() else 0
            self._odd(form, fine, texts)
        if len(self._distinct) <= FEW and number.any():
            self._distinct.update(pc.unique(plain.drop_null()).to_pylist()[: FEW + 1])
        if len(self.texts) < _KEPT:
            room = _KEPT - len(self.texts)
            self.texts.update(dict.fromkeys(trimmed.slice(0, room).to_pylist()))

    def _odd(self, candidate: str, fine: Any, texts: Any) -> None:
        """Keep a few texts that are not of a candidate type."""
        kept = self._examples.setdefault(candidate, [])
        if len(kept) >= _EXAMPLES or fine.all():
            return
        for place in np.flatnonzero(~fine)[: 20 * _EXAMPLES].tolist():
            text = texts[place].as_py()
            if text not in kept:
                kept.append(text)
            if len(kept) == _EXAMPLES:
                return

    def _counts(self) -> dict[str, int]:
        return {"number": self.number, "boolean": self.truth, **self._times}

    def decide(self) -> tuple[Decision, ColumnReading | None]:
        """The type, and what is to be told of it."""
        if self.hopeless or self._wish.type == "string":
            return Decision("string"), told_of(self._told("string"))
        if self._wish.form is not None:
            return self._as_times(self._wish.form)
        if self.values == self.blank:
            return Decision("float"), None  # nothing, or nothing but white space
        counts = self._counts()
        if not self._words:
            counts["boolean"] = 0  # nothing but 0 and 1: numbers
        best = max(counts, key=lambda name: counts[name])
        if not self._holds(best, counts[best]):
            return self._as_text()
        if best == "boolean":
            return self._decided(Decision("boolean", plain=True), "boolean", self.truth)
        if best == "number":
            return self._as_number()
        both = {DAY_FIRST, MONTH_FIRST} & set(self._forms)
        if len(both) == 2 and best in both and len({counts[form] for form in both}) == 1:
            return Decision("string"), told_of(self._told("string", ambiguous=True))
        return self._as_times(best)

    def _holds(self, best: str, count: int) -> bool:
        """Whether nearly all values are of the type, or it is wished and most are."""
        present = self.values - self.blank
        if count < AT_LEAST * present:
            return False
        if self._wish.type is not None:
            return True
        odd = [text for text in self._examples.get(best, []) if any(map(str.isdigit, text))]
        few = best == "number" and len(self._distinct) <= FEW and bool(odd)
        if few and count < 0.99 * present:
            return False  # codes such as 0, 1, 2 and 3+
        aside = min(self._placeholders, present - count)
        return count >= NEARLY_ALL * (present - aside)

    def _as_text(self) -> tuple[Decision, ColumnReading | None]:
        return Decision("string"), told_of(self._told("string"))

    def _as_number(self) -> tuple[Decision, ColumnReading | None]:
        wished = self._wish.type in ("integer", "float")
        integers = self.whole == self.number
        if integers and self._zeros and not wished:
            return Decision("string"), told_of(self._told("string", zeros=self._zeros))
        if integers and self._beyond and self._wish.type != "float":
            return Decision("string"), told_of(self._told("string", beyond=self._beyond))
        kind: ColumnType = "integer" if integers and self._wish.type != "float" else "float"
        decision = Decision(kind, self._style, plain=self._style.is_plain)
        return self._decided(decision, "number", self.number)

    def _as_times(self, form: str) -> tuple[Decision, ColumnReading | None]:
        count, zone = self._times[form], self._wish.zone
        if not count and self.values > self.blank:
            return Decision("string"), told_of(self._told("string", form=form))
        mixed = 0 < self._zoned[form] < count and zone is None
        if mixed:
            return Decision("string"), told_of(self._told("string", mixed=self._zoned[form]))
        decision = Decision("timestamp", form=form, zone=zone)
        return self._decided(decision, form, count)

    def _decided(
        self, decision: Decision, candidate: str, count: int
    ) -> tuple[Decision, ColumnReading | None]:
        odd = self.values - count
        told = self._told(decision.type, odd=odd, candidate=candidate, form=decision.form)
        if odd:
            decision = Decision(decision.type, decision.style, decision.form, decision.zone)
        return decision, told_of(told)

    def _told(self, kind: ColumnType, candidate: str = "number", **facts: Any) -> Told:
        counts = self._counts()
        return Told(
            column=self.name,
            type=kind,
            values=self.values,
            blank=self.blank,
            examples=tuple(self._examples.get(candidate, ())),
            texts=tuple(self.texts),
            zero_example=self._zero_example,
            counts={} if self.hopeless else counts,
            wished=self._wish.type,
            given_form=self._wish.form,
            style=self._style,
            **facts,
        )


def _truths(trimmed: Any) -> tuple[Any, Any]:
    """Which texts are a truth value, and which of these are words."""
    words = pc.match_substring_regex(trimmed, r"(?i)^(true|false)$")
    either = pc.or_(words, pc.match_substring_regex(trimmed, r"^[01](\.0+)?$"))
    return either.to_numpy(zero_copy_only=False), words.to_numpy(zero_copy_only=False)


def _booleans(texts: Any) -> Any:
    low = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    true = pc.match_substring_regex(low, r"^(true|1|1\.0+)$")
    known = pc.match_substring_regex(low, r"^(true|false|[01](\.0+)?)$")
    return pc.if_else(known, true, pa.scalar(None, pa.bool_()))
