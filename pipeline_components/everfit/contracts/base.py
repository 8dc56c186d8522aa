"""Frozen values, canonical JSON and digests: what every contract is made of."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    StringConstraints,
    WrapSerializer,
)

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A sha-256, in lower-case hexadecimal."""

PipelineName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""Safe as a file name, a DAG id, a registry name and a part of an object key."""


class Frozen(BaseModel):
    """A value: immutable, and closed to fields it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )


IN_A_KEY = "in a key"
"""The context in which a request is dumped for its content key."""


def _not_in_a_key(
    value: object, handler: SerializerFunctionWrapHandler, info: SerializationInfo
) -> object:
    return None if info.context == IN_A_KEY else handler(value)


OnlyShown = WrapSerializer(_not_in_a_key)
"""Marks what people are shown and nothing decides by: no content key depends on it."""


def canonical_json(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, UTF-8, a newline at the end.

    Parameters
    ----------
    value : pydantic model or JSON-able value
        Numbers must be finite.

    Raises
    ------
    ValueError
        If a number is NaN or infinite: JSON has no word for it, and no digest may depend on one.
    """
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
    )
    return text.encode() + b"\n"


def digest_bytes(data: bytes) -> Digest:
    """sha-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> Digest:
    """sha-256 of the canonical JSON of ``value``."""
    return digest_bytes(canonical_json(value))
