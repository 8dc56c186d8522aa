"""The five column types of a snapshot, and finding the narrowest that holds a whole column.

=============  =================  ============================================================
type           Arrow, Parquet     made from
=============  =================  ============================================================
``integer``    ``int64``          any integer that fits; a column with a wider one is text
``float``      ``float64``        any float or decimal; **a column without any value**
``boolean``    ``bool``           ``true`` and ``false`` in any case
``timestamp``  ``timestamp[us]``  ISO 8601 dates and times; with a zone: converted to UTC
``string``     ``string``         everything else, times of day among it
=============  =================  ============================================================

An empty column is ``float`` because most columns that start out empty turn out to be numbers; a
later span says what it is, and validate compares spans with that in mind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

ARROW: dict[str, Any] = {
    "integer": pa.int64(),
    "float": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
}
"""Our name → Arrow type."""


def type_name(kind: Any) -> str:
    """Our name of one of the five Arrow types."""
    return next(name for name, arrow in ARROW.items() if arrow == kind)


def normal_type(kind: Any) -> Any | None:
    """The one of the five an Arrow type is kept as; None for lists, structs and binary."""
    if pa.types.is_dictionary(kind):
        return normal_type(kind.value_type)
    if pa.types.is_boolean(kind):
        return pa.bool_()
    if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0):
        return pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return pa.float64()
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return pa.timestamp("us")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_time(kind):
        return pa.string()
    if pa.types.is_string_view(kind):
        return pa.string()
    return None


def cast(column: Any, kind: Any) -> Any:
    """Cast an Arrow array to one of the five types.

    Raises
    ------
    pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError
        If a value does not fit.
    """
    if column.type == kind:
        return column
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_timestamp(kind) and pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)  # ns: cut to us
    if pa.types.is_timestamp(kind) and pa.types.is_string(column.type):
        return _text_to_timestamp(column)
    if pa.types.is_floating(kind) and not pa.types.is_string(column.type):
        return column.cast(kind, safe=False)  # decimals and large integers: nearest float
    return column.cast(kind)


def _text_to_timestamp(column: Any) -> Any:
    for zoned in (False, True):
        for unit in ("us", "ns"):
            try:
                found = column.cast(pa.timestamp(unit, "UTC" if zoned else None))
            except pa.ArrowInvalid:
                continue
            return found.cast(pa.timestamp("us", found.type.tz), safe=False).cast(
                pa.timestamp("us")
            )
    raise pa.ArrowInvalid("not all of the texts are ISO 8601 times")


def common_type(kinds: Sequence[Any]) -> Any:
    """The type that holds the values of several; text where none other does."""
    names = {type_name(kind) for kind in kinds}
    if not names:
        return ARROW["float"]
    if len(names) == 1:
        return ARROW[names.pop()]
    return ARROW["float"] if names == {"integer", "float"} else ARROW["string"]


class Narrowing:
    """Which types still hold every text of a column seen so far.

    Parameters
    ----------
    candidates : sequence of Arrow types
        From the narrowest; ``string`` is what is left when all have failed.
    """

    TEXTS = (
        pa.int64(),
        pa.bool_(),
        pa.float64(),
        pa.timestamp("us"),
        pa.timestamp("ns"),
        pa.timestamp("us", "UTC"),
    )
    """What a text may be, the narrowest first."""

    TIMES = (pa.timestamp("us"), pa.timestamp("ns"), pa.timestamp("us", "UTC"))

    def __init__(self, candidates: tuple[Any, ...] = TEXTS) -> None:
        self._left = list(candidates)
        self._values = False

    def see(self, column: Any) -> None:
        """Rule out every type that a text of this array is not."""
        if column.null_count == len(column):
            return
        self._values = True
        if not self._left:
            return
        trimmed = pc.utf8_trim_whitespace(column.drop_null())
        # A cast goes on after its first failure, at a cost for each: try a few values before all.
        for texts in (trimmed.slice(0, 16), trimmed):
            self._left = [kind for kind in self._left if _parses(texts, kind)]

    @property
    def found(self) -> Any:
        """The narrowest type left; float64 where there was no value at all."""
        if not self._values:
            return pa.float64()
        return self._left[0] if self._left else pa.string()


def _parses(column: Any, kind: Any) -> bool:
    try:
        pc.cast(column, kind)
    except pa.ArrowInvalid:
        return False
    return True
