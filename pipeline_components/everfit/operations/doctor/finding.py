"""What one check found: its state, what was seen, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from everfit.contracts.base import Frozen
from everfit.contracts.errors import (
    EXIT_USER,
    EverfitError,
    SpecError,
    UserError,
    from_data,
    from_system,
    shortlist,
    told,
)
from everfit.contracts.extras import missing_extra

State = Literal["ok", "warning", "fails"]


class Finding(Frozen):
    """What one check found."""

    check: str
    state: State
    """Fails: something does not work as it is; warning: it works, or could not be looked at."""
    found: str
    todo: str | None = None
    """What to do; null: nothing."""
    exit_code: int = 0
    """What this finding alone ends the command with."""


class Health(Frozen):
    """What was found, check by check."""

    version: str
    """Of Everfit."""
    root: str
    """The folder that holds ``dags/``."""
    fails: int
    """How many checks fail."""
    warnings: int
    checks: tuple[Finding, ...]


def ok(check: str, found: str) -> Finding:
    """Nothing is wrong."""
    return Finding(check=check, state="ok", found=found)


def warning(check: str, found: str, todo: str | None = None) -> Finding:
    """Something to know; nothing that is here is prevented by it."""
    return Finding(check=check, state="warning", found=found, todo=todo)


def fails(check: str, found: str, todo: str) -> Finding:
    """Something that a person must correct."""
    return Finding(check=check, state="fails", found=found, todo=todo, exit_code=EXIT_USER)


def failed(check: str, error: EverfitError) -> Finding:
    """What the error says."""
    if isinstance(error, SpecError):
        found = f"{error.code} {error.where}: {shortlist(error.told, sep='; ')}"
    else:
        found = f"{error.code} {error.where}: {error.must}"
        found += f"; {error.found}" if error.found else ""
    return Finding(
        check=check,
        state="fails",
        found=" ".join(found.split()),
        todo=error.todo,
        exit_code=error.exit_code,
    )


def not_seen(check: str, why: str, todo: str | None = None) -> Finding:
    """A check that could not look: it has not passed."""
    return warning(check, f"not looked at: {why}", todo)


def looked(check: str, look: Callable[[], Finding]) -> Finding:
    """What the look found, whatever is raised meanwhile."""
    try:
        return look()
    except EverfitError as error:
        return failed(check, error)
    except ModuleNotFoundError as error:
        missing = missing_extra(error)
        if missing is not None:
            return not_seen(check, f"this needs {missing.where}", missing.todo)
        return failed(check, _defect(error))
    except OSError as error:
        return failed(check, from_system(error))
    except Exception as error:
        return failed(check, from_data(error) or _defect(error))


def _defect(error: Exception) -> UserError:
    return UserError(
        "DOCTOR",
        "everfit doctor",
        "a check must come to an end",
        told(error),
        "Run everfit check and everfit status, and report what they say",
    )
