"""The user's own checks, by import path: whatever they do, none passes by accident."""

from __future__ import annotations

import difflib
import importlib
import inspect
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, get_args

from everfit.contracts.errors import EverfitError, Unavailable, UserError, shortlist, told
from everfit.contracts.messages.verdicts import CheckState, Severity
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding, Forces, NotAssessed

log = logging.getLogger(__name__)

PREFIX = "OWN:"
FIRST_POSITION = 10_000
"""After every built-in check."""
MAX_LENGTH = 1_000
"""Characters of a sentence."""
MAX_NUMBER = 1e300
"""A number in a record must be one that every reader of JSON can hold."""

OwnCheck = Callable[[Any], Finding | Iterable[Finding]]


def own_checks_of(paths: Sequence[str]) -> tuple[GateCheck, ...]:
    """A check for each import path that the gate names; none of them is imported yet.

    Its code is ``OWN:`` and the function's name, or its whole path where two have one name.
    """
    unique = list(dict.fromkeys(paths))
    names = [path.rpartition(".")[2] for path in unique]
    return tuple(
        GateCheck(
            code=PREFIX + (name if names.count(name) == 1 else path),
            title=name.replace("_", " ").strip().capitalize() or name,
            severity="error",
            position=FIRST_POSITION + place,
            assess=partial(run_own_check, path),
            needs=("ROWS-SAME",),
        )
        for place, (path, name) in enumerate(zip(unique, names, strict=True))
    )


def run_own_check(path: str, evidence: Evidence) -> list[Finding]:
    """Import the check, call it with the candidate, and return its findings.

    Raises
    ------
    NotAssessed
        Whatever went wrong: it cannot be imported, it crashed, or its answer is no finding.
    Unavailable
        If the store did not answer meanwhile.
    """
    if evidence.candidate is None:
        raise NotAssessed(f"there is no candidate to call {path} with")
    try:
        check = import_check(path)
    except UserError as error:
        raise NotAssessed(f"the check {path}: {error.must}; {error.found}") from error
    try:
        answer = check(evidence.candidate())
        findings = [answer] if isinstance(answer, Finding) else _list(path, answer)
    except (NotAssessed, Unavailable, KeyboardInterrupt):
        raise
    except EverfitError as error:
        raise NotAssessed(
            f"the check {path} could not be made: {error.must}; {error.found}"
        ) from error
    except BaseException as error:  # some libraries' errors, and sys.exit, are no Exception
        log.exception("check %s crashed", path)
        raise NotAssessed(f"the check {path} crashed with {told(error)}") from error
    return [_validated(path, finding) for finding in findings]


def import_check(path: str) -> OwnCheck:
    """The function at an import path.

    Raises
    ------
    UserError
        If it cannot be imported, or cannot be called with one argument.
    """
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the module is the user's: it may fail in any way
        raise _refuse(
            path,
            "a check's import path must be importable",
            told(error),
            "Correct the path, or install its package where the components are",
        ) from error
    check = getattr(module, name, None)
    if check is None:
        near = difflib.get_close_matches(name, dir(module), n=1)
        hint = f"Did you mean {module_name}.{near[0]}?" if near else "Correct the path"
        raise _refuse(path, f"the check must be in {module_name}", f"{name} is not", hint)
    try:
        inspect.signature(check).bind(None)
    except (TypeError, ValueError) as error:
        found = "it is not" if callable(check) else f"it is a {type(check).__name__}"
        raise _refuse(
            path,
            "a check must be a function of one argument",
            found,
            "See docs/how-to/own_checks.md",
        ) from error
    return check  # type: ignore[no-any-return]


def _list(path: str, answer: Any) -> list[Any]:
    if not isinstance(answer, Iterable) or isinstance(answer, str | bytes | dict):
        raise NotAssessed(
            f"the check {path} must return a Finding or several; it returned {_a(answer)}"
        )
    return list(answer)


def _validated(path: str, finding: Any) -> Finding:
    """The finding with every part checked: what is written into a record must be right."""
    if not isinstance(finding, Finding):
        raise NotAssessed(
            f"the check {path} must return a Finding or several; one of them is {_a(finding)}"
        )
    for name, allowed in (
        ("state", get_args(CheckState)),
        ("forces", get_args(Forces)),
        ("severity", (None, *get_args(Severity))),
    ):
        value = getattr(finding, name)
        if not (value is None or isinstance(value, str)) or value not in allowed:
            raise NotAssessed(
                f"the check {path}: {name} must be one of {shortlist(map(str, allowed), 6)}"
            )
    message = _line(finding.message)
    if message is None or not message:
        raise NotAssessed(
            f"the check {path}: message must be a sentence; it is {_a(finding.message)}"
        )
    texts = {name: _line(getattr(finding, name)) for name in ("flip", "title")}
    return Finding(
        state=finding.state,
        message=message,
        forces=finding.forces,
        flip=texts["flip"] or None,
        title=texts["title"] or None,
        values=_values(path, finding.values),
        severity=finding.severity,
    )


def _values(path: str, values: Any) -> dict[str, float | int | str | None]:
    if not isinstance(values, dict):
        raise NotAssessed(f"the check {path}: values must be a dict; it is {_a(values)}")
    plain: dict[str, float | int | str | None] = {}
    for name, value in values.items():
        one = value.item() if hasattr(value, "item") and not getattr(value, "shape", ()) else value
        key, text = _line(name), _line(one)
        number = isinstance(one, int | float) and abs(one) < MAX_NUMBER
        if key is None or not (one is None or number or text is not None):
            raise NotAssessed(f"the check {path}: values must be texts and finite numbers by name")
        plain[key] = text if text is not None else int(one) if isinstance(one, bool) else one
    return plain


def _line(text: Any) -> str | None:
    """Text on one line, of a bearable length, that can be written; None where it is no text."""
    if not isinstance(text, str):
        return None
    written = text.encode(errors="replace").decode()
    return " ".join(written.split())[:MAX_LENGTH]


def _a(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _refuse(path: str, must: str, found: str, todo: str) -> UserError:
    return UserError("GATE-CHECK", path, must, found, todo)
