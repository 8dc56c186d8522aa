"""Rows of a request, read strictly: a value of another type is an error with its row and field."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from everfit.contracts.errors import shortlist
from everfit.contracts.wording import count

if TYPE_CHECKING:
    import pandas as pd

MOST_ERRORS = 20
"""Errors that an answer lists; the others are counted."""

LONGEST = 40
"""Letters of a value that an error shows."""

_LARGEST = 2**63


class Problem(Exception):
    """Why a request is not answered.

    Parameters
    ----------
    status : int
        HTTP status.
    code : str
        Stable, upper case.
    message : str
        A sentence without a value of the request.
    errors : sequence of FieldError
        What is wrong with single values, if that is it.
    """

    def __init__(
        self, status: int, code: str, message: str, errors: Sequence[FieldError] = ()
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.errors = status, code, message, tuple(errors)

    def document(self) -> dict[str, Any]:
        """Its JSON, without the request's id."""
        found: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.errors:
            found["errors"] = [vars(one) for one in self.errors[:MOST_ERRORS]]
            found["errors_in_total"] = len(self.errors)
        return found


@dataclass(frozen=True)
class FieldError:
    """One value that cannot be used."""

    row: int
    """From 0, in the order of the request."""
    field: str
    message: str


def parse_json(body: bytes) -> Any:
    """The JSON of a request.

    Raises
    ------
    Problem
        If it is none; ``NaN`` and ``Infinity`` are not JSON.
    """
    try:
        # As ``json.loads`` does, which builds a decoder for every call.
        return _DECODER.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except RecursionError:
        found = "it is nested too deeply"
    except UnicodeDecodeError:
        found = "it is not UTF-8"
    except json.JSONDecodeError as error:
        found = f"{error.msg} at line {error.lineno}, column {error.colno}"
    except ValueError as error:  # NaN, or an integer of thousands of digits
        found = str(error).partition(";")[0][:100]
    raise Problem(422, "BODY", f"The body must be JSON: {found}.")


def read_records(document: Any, columns: Mapping[str, str], most_rows: int) -> dict[str, list[Any]]:
    """Columns of values from a list of records.

    Parameters
    ----------
    document : object
        The parsed body.
    columns : mapping
        Column → its type in training. A record may have other fields too.
    most_rows : int

    Returns
    -------
    dict
        Column → n values in that type, None where missing.

    Raises
    ------
    Problem
        If it is no list of records, has no or too many rows, lacks a field, or a value is of
        another type.
    """
    if not isinstance(document, list):
        raise Problem(422, "BODY", 'The body must be a list of records: [{"column": value, …}, …].')
    refuse_count(len(document), most_rows)
    errors: list[FieldError] = []
    for row, record in enumerate(document):
        if not isinstance(record, dict):
            errors.append(FieldError(row, "", "a record must be an object of columns and values"))
            continue
        for name in columns:
            if name not in record:
                errors.append(
                    FieldError(row, name, "the field is missing; give null where it is unknown")
                )
    if errors:
        raise refusal(errors)
    found = {
        name: read_values([record[name] for record in document], name, kind, errors)
        for name, kind in columns.items()
    }
    if errors:
        raise refusal(sorted(errors, key=lambda error: error.row))
    return found


def refuse_count(rows: int, most_rows: int) -> None:
    """Make sure that a request has rows, and not too many.

    Raises
    ------
    Problem
        If it has not.
    """
    if not rows:
        raise Problem(422, "BODY", "There must be at least one row.")
    if rows > most_rows:
        raise Problem(
            413, "ROWS", f"A request may have {most_rows:,} rows; this one has {rows:,}. Split it."
        )


def refusal(errors: Sequence[FieldError]) -> Problem:
    """The problem that lists what is wrong with single values."""
    fields = shortlist(dict.fromkeys(error.field or "record" for error in errors))
    found = f"{count(len(errors), 'value')} missing or of another type: {fields}."
    return Problem(422, "FIELDS", found, errors)


def read_values(values: Sequence[Any], name: str, kind: str, errors: list[FieldError]) -> list[Any]:
    """The values of one column in its type; what is wrong is added to ``errors``."""
    read = _READ[kind]
    found = []
    for row, value in enumerate(values):
        try:
            found.append(None if value is None else read(value))
        except (TypeError, ValueError, OverflowError):
            errors.append(FieldError(row, name, f"{EXPECTED[kind]}; found {_shown(value)}"))
    return found


def as_frame(values: Mapping[str, Sequence[Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Columns of values as the frame that the same rows in Parquet are read into.

    Returns
    -------
    DataFrame of n rows
        In the types of ``everfit.data.tables.frames``.
    """
    import numpy as np
    import pandas as pd

    found: dict[str, Any] = {}
    for name, kind in columns.items():
        column = values[name]
        if kind == "string":
            found[name] = pd.array(column, dtype="str")
        elif kind == "timestamp":
            found[name] = np.array(column, dtype="datetime64[us]")
        elif kind == "float" or None in column:
            found[name] = np.array(column, dtype=np.float64)
        else:
            found[name] = np.array(column, dtype=np.int64 if kind == "integer" else np.bool_)
    return pd.DataFrame(found, copy=False)


def as_records(frame: pd.DataFrame, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of a frame as the records of a request that asks for their predictions."""
    import pandas as pd

    back: dict[str, Callable[[Any], Any]] = {
        "integer": int,
        "float": float,
        "boolean": bool,
        "string": str,
        "timestamp": lambda value: f"{value.isoformat()}Z",
    }
    return [
        {
            name: None if pd.isna(row[name]) else back[kind](row[name])
            for name, kind in columns.items()
        }
        for row in frame.to_dict("records")
    ]


def _not_json(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_not_json)


def _float(value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _integer(value: Any) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise TypeError
    if not -_LARGEST <= value < _LARGEST:
        raise ValueError
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError
    return value


def _string(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    value.encode()  # half of a surrogate pair is no text
    return value


def _timestamp(value: Any) -> datetime:
    if type(value) is not str:
        raise TypeError
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


_READ: dict[str, Callable[[Any], Any]] = {
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "string": _string,
    "timestamp": _timestamp,
}

EXPECTED = {
    "integer": "expected a whole number",
    "float": "expected a number",
    "boolean": "expected true or false",
    "string": "expected text",
    "timestamp": "expected a time such as 2026-03-31T14:00:00Z",
}
"""Type → what an error says of it."""


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
