"""What a call of Everfit may raise, each with what to do; see docs/reference/errors.md."""

from __future__ import annotations

from everfit.contracts.errors import (
    CredentialsError,
    EverfitError,
    IntegrityError,
    NothingToDo,
    RequestError,
    SourceError,
    SpecError,
    Unavailable,
    UserError,
)

__all__ = [
    "CredentialsError",
    "EverfitError",
    "IntegrityError",
    "NothingToDo",
    "RequestError",
    "SourceError",
    "SpecError",
    "Unavailable",
    "UserError",
]
