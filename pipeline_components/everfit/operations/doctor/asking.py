"""Other interpreters are asked in a process of their own, which has only so long to answer."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

from everfit.contracts.errors import Unavailable, UserError

SECONDS = 120.0
"""For one answer: Airflow's import takes tens of seconds on a small and busy machine."""


def ask(python: str, script: str, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the script answers as JSON in its last line, run by another interpreter.

    Raises
    ------
    UserError
        If that interpreter cannot be started, or the script ends in an error.
    Unavailable
        If it does not answer in time.
    """
    kept = {
        name: text
        for name, text in (os.environ if environ is None else environ).items()
        if not name.startswith("PYTHON")
    }
    try:
        done = subprocess.run(  # noqa: S603 (an interpreter that the settings name)
            [python, "-W", "ignore", "-c", script],
            env=kept,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(
            "DOCTOR-INTERPRETER",
            python,
            f"it must answer within {SECONDS:.0f} s",
            "it did not",
            "Look at how busy the machine is, and try again",
        ) from None
    except OSError as error:
        raise _broken(python, error.strerror or type(error).__name__) from None
    lines = done.stdout.decode(errors="replace").splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError):
        answer = None
    if done.returncode or not isinstance(answer, dict):
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise _broken(python, said[-1][:200] if said else f"it ended with {done.returncode}")
    return answer


def _broken(python: str, found: str) -> UserError:
    return UserError(
        "DOCTOR-INTERPRETER",
        python,
        "this Python must start and import what is installed in it",
        found,
        "Install its environment again (docs/how-to/install.md); in a checkout, run make setup",
    )
