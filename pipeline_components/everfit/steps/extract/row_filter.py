"""Keeping the rows and columns a source asks for, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from everfit.contracts.errors import UserError, shortlist
from everfit.contracts.messages.readings import BrokenRule
from everfit.contracts.messages.requests import ExtractRequest
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.spec.expression import columns_of
from everfit.contracts.spec.row_rules import columns_of_rules
from everfit.data.sources.refused import SpanRefused

MOST_COLUMNS = 10_000
"""Of a span, after ``source.columns``: each is profiled, encoded, shuffled and shown."""


class Selection:
    """Which columns of a span are read, which are kept, and which rows.

    Parameters
    ----------
    ref : SpanRef
        The span, for messages.
    request : ExtractRequest
        Its source's ``columns`` and ``where``, and its rules for rows; a column that its curated
        schema lists may be absent here: validate judges that.
    there : list of str
        The span's columns.

    Raises
    ------
    SpanRefused
        If a column asked for is not there, or there are more than ``MOST_COLUMNS``.
    """

    def __init__(self, ref: SpanRef, request: ExtractRequest, there: list[str]) -> None:
        source = request.source
        self._ref, self._where = ref, source.where
        # What is dropped is asked no further, so that a rule may take care of what another forbids.
        self._rules = sorted(request.rules.items(), key=lambda rule: rule[1] != "drop")
        wanted = list(source.columns) if source.columns is not None else there
        judged_later = set(request.curated.columns) if request.curated else set()
        needed = sorted(
            (columns_of(source.where) if source.where else frozenset())
            | columns_of_rules(request.rules)
        )
        known = set(there)
        missing = [
            name
            for name in dict.fromkeys((*wanted, *needed))
            if name not in known and (name in needed or name not in judged_later)
        ]
        if missing:
            raise _missing(ref, missing, there)
        self.kept = [name for name in wanted if name in known]
        asked = {*self.kept, *needed}
        self.read = [name for name in there if name in asked]
        if not self.kept:
            raise _missing(ref, wanted, there)
        if len(self.kept) > MOST_COLUMNS:
            raise SpanRefused(
                "SPAN-COLUMNS",
                ref,
                f"a table must have at most {MOST_COLUMNS:,} columns",
                f"{len(self.kept):,} were found, such as {shortlist(self.kept, most=3)}",
                "Name those to read in source.columns",
            )
        self.begin()

    def begin(self) -> None:
        """Count from the first row of the span, perhaps again."""
        self._asked = dict.fromkeys((rule for rule, _ in self._rules), 0)
        self._broken, self._missing = dict(self._asked), dict(self._asked)

    @property
    def broken(self) -> tuple[BrokenRule, ...]:
        """The rules that did not hold for some of the rows so far."""
        return tuple(
            BrokenRule(
                rule=rule,
                action=action,
                rows=self._broken[rule],
                missing=self._missing[rule],
                of=self._asked[rule],
            )
            for rule, action in self._rules
            if self._broken[rule]
        )

    def apply(self, batch: Any) -> Any:
        """The rows to keep, with the columns to keep, in their order.

        Raises
        ------
        SpanRefused
            If the filter or a rule does not fit the columns' types.
        """
        if self._where is not None and batch.num_rows:
            from everfit.data.tables.evaluate_expression import is_true
            from everfit.data.tables.frames import to_frame

            needed = batch.select(sorted(columns_of(self._where)))
            try:
                mask = is_true(self._where, to_frame(needed))
            except UserError as error:
                raise SpanRefused(
                    "SPAN-WHERE",
                    self._ref,
                    "source.where must fit the columns' types",
                    error.line.rstrip("."),
                    "Correct source.where or the curated types",
                ) from error
            batch = batch.filter(pa.array(mask))
        for rule, action in self._rules:
            if batch.num_rows:
                batch = self._obey(rule, batch, drop=action == "drop")
        return batch.select(self.kept)

    def _obey(self, rule: str, batch: Any, *, drop: bool) -> Any:
        """Count the rows a rule does not hold for; the batch, without them where they drop."""
        from everfit.data.tables.evaluate_expression import truth
        from everfit.data.tables.frames import to_frame

        try:
            holds, missing = truth(rule, to_frame(batch.select(sorted(columns_of(rule)))))
        except UserError as error:
            raise SpanRefused(
                "SPAN-RULE",
                self._ref,
                "a rule of validation.rows must fit the columns' types",
                error.line.rstrip("."),
                "Correct the rule, or say how the column is read",
            ) from error
        self._asked[rule] += batch.num_rows
        self._broken[rule] += batch.num_rows - int(holds.sum())
        self._missing[rule] += int(missing.sum())
        return batch.filter(pa.array(holds)) if drop else batch


def no_row_kept(ref: SpanRef, seen: int, broken: Sequence[BrokenRule]) -> SpanRefused | None:
    """The refusal of a span that has rows, and loses all of them to its rules; None: it does not.

    Parameters
    ----------
    seen : int
        Rows of the span.
    broken : sequence of BrokenRule
    """
    dropping = [one for one in broken if one.action == "drop"]
    if not dropping:
        return None
    why = shortlist(
        f"{one.rule} does not hold for {one.rows:,} of {one.of:,}"
        + (f" ({one.missing:,} of them missing)" if one.missing else "")
        for one in dropping
    )
    return SpanRefused(
        "SPAN-NO-ROWS",
        ref,
        "a span must hold rows",
        f"the rules of validation.rows leave none of its {seen:,}: {why}",
        "Correct validation.rows, or the source",
    )


def _missing(ref: SpanRef, missing: list[str], there: list[str]) -> SpanRefused:
    from difflib import get_close_matches

    near = get_close_matches(missing[0], there, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return SpanRefused(
        "SPAN-COLUMN-MISSING",
        ref,
        "every column of source.columns, source.where and validation.rows must be there",
        f"it has no {shortlist(repr(name) for name in missing)}, but {shortlist(there)}",
        f"{hint}Correct the spec, or list the column in the curated schema as not required",
    )
