"""The environment a version was made in, installed anew from its lock."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from everfit.champion.environment import uv_program
from everfit.contracts.base import digest_of
from everfit.contracts.errors import UserError
from everfit.engine.progress import Progress
from everfit.operations.reproduce.recorded import Recorded

log = logging.getLogger(__name__)

READY = ".everfit-ready"
"""In a finished environment; without it one is half installed and made again."""

PATIENCE = 3600
"""Seconds to install everything."""


def locked_environment(
    recorded: Recorded, lock: bytes, folder: Path, other: str, progress: Progress
) -> Path:
    """The interpreter of the recorded environment; installed once, and found again.

    Parameters
    ----------
    recorded : Recorded
    lock : bytes
        Requirements, with hashes or without.
    folder : Path
        Where environments are kept.
    other : str
        How this environment differs, for messages.

    Raises
    ------
    UserError
        If it cannot be installed here.
    """
    python, machine = recorded.environment.get("python", ""), recorded.environment.get("machine")
    if machine != platform.machine():
        raise _unavailable(recorded, other, f"it is of another type of machine: {machine}")
    uv = uv_program()
    if uv is None:
        raise _unavailable(recorded, other, "uv, which would install it, is not here")
    place = folder / digest_of({"lock": recorded.lock.digest, "python": python})[:16]
    if (place / READY).exists():
        return place / "bin" / "python"
    aside = folder / f"{place.name}.{os.getpid()}.part"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        requirements = aside / "requirements.txt"
        requirements.write_bytes(lock)
        interpreter = aside / "venv" / "bin" / "python"
        progress.update(f"making Python {python}", 0, 2)
        _uv(recorded, other, [uv, "venv", "--quiet", "--python", python, str(aside / "venv")])
        progress.update("installing the locked packages", 1, 2)
        hashes = ["--require-hashes"] if b"--hash=" in lock else []
        command = [uv, "pip", "install", "--quiet", "--no-deps", *hashes]
        command += ["--python", str(interpreter), "-r", str(requirements)]
        _uv(recorded, other, command)
        (aside / "venv" / READY).touch()
        shutil.rmtree(place, ignore_errors=True)
        (aside / "venv").replace(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    progress.update("installing the locked packages", 2, 2)
    return place / "bin" / "python"


def _uv(recorded: Recorded, other: str, command: list[str]) -> None:
    log.info("%s", " ".join(command))
    try:
        done = subprocess.run(  # noqa: S603 (uv, on a lock whose digest was verified)
            command,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=_environment(os.environ),
        )
    except subprocess.TimeoutExpired:
        raise _unavailable(recorded, other, f"uv did not end within {PATIENCE} s") from None
    except OSError as error:
        raise _unavailable(recorded, other, f"uv cannot be started: {error.strerror}") from error
    if done.returncode:
        said = " ".join(done.stderr.split())[:300]
        raise _unavailable(recorded, other, f"uv says: {said}")


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Without what points at another environment."""
    others = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
    return {name: value for name, value in environ.items() if name not in others}


def _unavailable(recorded: Recorded, other: str, why: str) -> UserError:
    return UserError(
        "REPRODUCE-ENVIRONMENT",
        recorded.called,
        "its locked environment must be the one of here, or be installed from its lock",
        f"{other}; {why}",
        "Let uv reach Python and a package index on such a machine, or try with what is here: "
        "--here",
    )
