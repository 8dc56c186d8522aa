"""Whether the libraries a version was made with are here, or can be had."""

from __future__ import annotations

import io
import logging
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from everfit.contracts.errors import UserError, shortlist
from everfit.engine.fingerprints import CAN_CHANGE_BITS, environment, installed

log = logging.getLogger(__name__)

PATIENCE = 120
"""Seconds for the package index to answer."""

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9][A-Za-z0-9.!+_-]*)", re.ASCII)


def check_environment(
    where: str, made_with: Mapping[str, str], more: Mapping[str, str] | None = None
) -> str:
    """Make sure that the libraries of a version are here, or that they can be installed.

    Parameters
    ----------
    where : str
        What to call the version.
    made_with : mapping
        As ``identity.environment`` gave it when the version was made: ``python``, and each
        library's version.
    more : mapping, optional
        Further distributions the model needs → version.

    Returns
    -------
    str
        A sentence.

    Raises
    ------
    UserError
        If a library differs, and its version cannot be had or nobody can say.
    """
    now = environment()
    python, here = made_with.get("python", ""), now["python"]
    measured = {n: v for n, v in made_with.items() if n in CAN_CHANGE_BITS and v != "absent"}
    wanted = {**(more or {}), **measured}  # what was there counts before what was locked
    found = {**installed(), **now}
    other = [
        f"{name} {version} (here {found.get(name, 'none')})"
        for name, version in sorted(wanted.items())
        if not _same(version, found.get(name, ""))
    ]
    if _minor(python) != _minor(here):
        other.insert(0, f"Python {python or 'unknown'} (here {here})")
    if not other:
        return "its libraries are those installed here"
    problem = unresolvable(wanted, python or here)
    if problem is None:
        log.warning("%s was made with %s; it loads here all the same", where, shortlist(other))
        return f"it was made with {shortlist(other)}; these can be installed"
    raise UserError(
        "CHAMPION-ENVIRONMENT",
        where,
        "the libraries it was made with must be installed here or available from the package index",
        f"it needs {shortlist(other)}, and {problem}",
        "Choose a version made with the libraries installed here, or let uv reach an index that "
        "has them",
    )


def unresolvable(wanted: Mapping[str, str], python: str) -> str | None:
    """Why uv cannot install those versions together; None where it can. Installs nothing."""
    uv = uv_program()
    if uv is None:
        return "uv, which could check, is not installed"
    pins = "".join(f"{name}=={version}\n" for name, version in sorted(wanted.items()))
    command = [uv, "pip", "compile", "--quiet", "--no-header", "--python-version", python, "-"]
    try:
        done = subprocess.run(  # noqa: S603 (uv, on pins that were matched)
            command, input=pins, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return f"uv did not answer within {PATIENCE} s"
    except OSError as error:
        return f"uv could not be started: {error.strerror}"
    if done.returncode == 0:
        return None
    said = " ".join(done.stderr.split())
    return f"uv says: {(said.partition('cause: ')[2] or said)[:300]}"


def uv_program() -> str | None:
    """Where uv is: beside this Python, or on the path."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def pins(lock: str) -> dict[str, str]:
    """Distribution → version of requirements; the first of a name counts.

    Parameters
    ----------
    lock : str
        Lines ``name==version``, with hashes, comments and markers or without.
    """
    found: dict[str, str] = {}
    for line in lock.splitlines():
        if pin := _PIN.match(line.strip()):
            found.setdefault(_normal(pin[1]), pin[2])
    return found


def distributions_of(model: bytes) -> frozenset[str]:
    """The distributions whose types a skops file names; its text is read, nothing is loaded."""
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        text = archive.read("schema.json").decode()
    tops = {name.partition(".")[0] for name in re.findall(r'"__module__":\s*"([\w.]+)"', text)}
    known = _distributions()
    return frozenset(
        _normal(name)
        for top in tops - set(sys.stdlib_module_names) - {"everfit"}
        for name in known.get(top, ())
    )


@cache
def _distributions() -> Mapping[str, list[str]]:
    from importlib.metadata import packages_distributions

    return packages_distributions()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _same(one: str, other: str) -> bool:
    """Whether two spellings are one version: ``2.4.0`` and ``2.4``, a local part aside."""
    return _plain(one) == _plain(other)


def _plain(version: str) -> str:
    return re.sub(r"(\.0)+$", "", version.partition("+")[0].lower())


def _minor(python: str) -> str:
    return ".".join(python.split(".")[:2])
