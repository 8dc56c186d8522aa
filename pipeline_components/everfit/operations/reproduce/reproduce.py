"""Rebuild a version in a process of its own, with the code and environment of its record."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from everfit.champion.version.signing import verified
from everfit.contracts.errors import (
    EXIT_USER,
    EverfitError,
    IntegrityError,
    RequestError,
    Unavailable,
    UserError,
    shortlist,
)
from everfit.contracts.settings import Settings
from everfit.engine.context import Context
from everfit.engine.fingerprints import KERNEL_VARIABLES, code_digest, environment
from everfit.engine.progress import Progress
from everfit.operations.reproduce.answer import Rebuilt, Reproduction, answered
from everfit.operations.reproduce.locked_environment import locked_environment
from everfit.operations.reproduce.recorded import Recorded, read_recorded
from everfit.operations.reproduce.unpack_code import unpack_code
from everfit.storage.ledger.records import VersionRecord

log = logging.getLogger(__name__)

MODULE = "everfit.operations.reproduce"


@dataclass(frozen=True)
class Surroundings:
    """Where the rebuild runs."""

    python: Path
    code: Path | None
    """A folder to import the components from; None: those of here."""
    own: bool
    """Whether the interpreter is an environment of its own, of which nothing here is a part."""
    how: str


def reproduce(
    pipeline: str,
    record: VersionRecord,
    context: Context,
    *,
    here: bool = False,
    keep: Path | None = None,
) -> Reproduction:
    """Rebuild a registered version and say how far it is the same.

    Parameters
    ----------
    pipeline : str
    record : VersionRecord
    context : Context
        Its store and ledger are only read.
    here : bool
        With the code and environment of here, whatever the record says.
    keep : Path, optional
        An empty or absent folder for the tables and the model that are made.

    Raises
    ------
    UserError
        If there is no dossier, or its environment cannot be installed here.
    IntegrityError
        If the record is not signed by us, or the dossier, its code or a snapshot is missing or
        altered.
    """
    recorded = read_recorded(pipeline, verified(record, pipeline, context), context.store)
    if context.settings.store.startswith("memory:"):
        raise RequestError(
            "REPRODUCE-STORE",
            recorded.called,
            "a process of its own must reach the store",
            "it is in the memory of this one",
            "Use a store of files or on S3",
        )
    if keep is not None:
        _make_room(keep)
    with tempfile.TemporaryDirectory(prefix="everfit-reproduce-") as folder:
        if here:
            how = "the code and environment of here: " + (
                shortlist(differences(recorded), 8) or "the recorded ones"
            )
            place = Surroundings(Path(sys.executable), None, False, how)
        else:
            place = _surroundings(recorded, Path(folder), context)
        rebuilt = _run(recorded, place, Path(folder), context, keep, here)
    answer = answered(pipeline, record.version, place.how, rebuilt)
    if keep is not None:
        (keep / "reproduction.json").write_text(answer.model_dump_json(indent=1) + "\n")
    return answer


def differences(recorded: Recorded) -> list[str]:
    """Code and environment of here that are not the recorded ones: ``numpy 2.4.6 → 2.4.7``."""
    here = code_digest("run")
    found = [] if recorded.code == here else [f"code {recorded.code[:12]} → {here[:12]}"]
    return found + environment_differences(recorded.environment, environment())


def environment_differences(
    recorded: Mapping[str, str], here: Mapping[str, str], variables: bool = True
) -> list[str]:
    """What differs, Python and machine first; kernel variables only where asked for.

    A kernel variable is set for the process that rebuilds, so it never stands in its way.
    """
    names = [*dict.fromkeys(("python", "machine", *sorted(recorded.keys() | here.keys())))]
    return [
        f"{name} {recorded.get(name, 'unset')} → {here.get(name, 'unset')}"
        for name in names
        if recorded.get(name) != here.get(name) and (variables or name not in KERNEL_VARIABLES)
    ]


def _make_room(keep: Path) -> None:
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        raise UserError(
            "REPRODUCE-KEEP",
            str(keep),
            "the folder to keep what is made in must be empty",
            "it is not",
            "Name another",
        )


def _surroundings(recorded: Recorded, folder: Path, context: Context) -> Surroundings:
    """Here, where the libraries are the recorded ones; else an environment from the lock."""
    other = environment_differences(recorded.environment, environment(), variables=False)
    same_code = recorded.code == code_digest("run")
    if same_code and not other:
        how = "the recorded code and environment, which are those of here"
        return Surroundings(Path(sys.executable), None, False, how)
    code = folder / "code"
    code.mkdir()
    archive = context.store.get(recorded.archive.digest)
    unpack_code(archive, recorded.package, code, recorded.called)
    if not other:
        how = f"the recorded code {recorded.code[:12]} in the environment of here, which it ran in"
        return Surroundings(Path(sys.executable), code, False, how)
    python = locked_environment(
        recorded,
        context.store.get(recorded.lock.digest),
        context.settings.home / "environments",
        shortlist(other, 8),
        context.progress,
    )
    how = f"the recorded code, in its locked environment (here: {shortlist(other, 8)})"
    return Surroundings(python, code, True, how)


def _run(
    recorded: Recorded,
    place: Surroundings,
    folder: Path,
    context: Context,
    keep: Path | None,
    here: bool,
) -> Rebuilt:
    """Start the rebuild, pass its progress on, and read its answer."""
    answer = folder / "answer.json"
    command = [str(place.python), "-m", MODULE, "--dossier", recorded.dossier]
    command += ["--called", recorded.called, "--answer", str(answer)]
    command += ["--keep", str(keep.resolve())] if keep is not None else []
    command += ["--here"] if here else []
    work = folder / "work"  # ``-m`` puts it first on sys.path, so nothing is in it
    work.mkdir()
    log.info("%s: %s", recorded.called, place.how)
    with (
        (folder / "stderr").open("wb") as errors,
        subprocess.Popen(  # noqa: S603 (our own module)
            command,
            cwd=work,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=child_variables(os.environ, recorded.environment, context.settings, place, here),
        ) as child,
    ):
        try:
            assert child.stdout is not None
            for line in child.stdout:
                _pass_on(line, context.progress)
        except BaseException:
            child.kill()
            raise
    said = (folder / "stderr").read_text(errors="replace").strip().splitlines()
    for line in said:
        log.info("%s", line)
    return _read(answer, recorded, child.returncode, said[-1] if said else "it said nothing")


def child_variables(
    environ: Mapping[str, str],
    recorded: Mapping[str, str],
    settings: Settings,
    place: Surroundings,
    here: bool,
) -> dict[str, str]:
    """The variables of the process that rebuilds: the recorded kernels, and the store of here."""
    kept = dict(environ)
    if not here:
        kept = {name: value for name, value in kept.items() if name not in KERNEL_VARIABLES}
        kept |= {name: recorded[name] for name in KERNEL_VARIABLES if name in recorded}
    path = [str(place.code)] if place.code else []
    if place.own:
        kept = {k: v for k, v in kept.items() if k not in ("PYTHONHOME", "VIRTUAL_ENV")}
    elif environ.get("PYTHONPATH"):  # the spec's own estimators may be there
        path.append(environ["PYTHONPATH"])
    kept["PYTHONPATH"] = os.pathsep.join(path)
    return kept | {
        "EVERFIT_ROOT": str(settings.root),
        "EVERFIT_HOME": str(settings.home),
        "EVERFIT_STORE": settings.store,
    }


def _pass_on(line: str, progress: Progress) -> None:
    """A line of progress; whatever else a library prints is nobody's."""
    try:
        told = json.loads(line)
        progress.update(str(told["what"]), float(told["done"]), float(told["total"]))
    except (ValueError, KeyError, TypeError):
        log.debug("%s", line.rstrip())


def _read(answer: Path, recorded: Recorded, code: int, last: str) -> Rebuilt:
    try:
        document = json.loads(answer.read_bytes())
        if "error" not in document:
            return Rebuilt.model_validate(document)
        parts = {name: document["error"].get(name) for name in _PARTS}
    except (OSError, ValidationError, ValueError, KeyError, AttributeError) as error:
        raise UserError(
            "REPRODUCE-PROCESS",
            recorded.called,
            "the process that rebuilds must leave an answer",
            f"it ended with {code}: {last[:200]}",
            "Look with everfit --verbose reproduce",
        ) from error
    altered = str(parts["code"]).startswith(("STORE-", "REPRODUCE-SNAPSHOT", "MODEL-"))
    kind: type[EverfitError] = Unavailable
    if code == EXIT_USER:
        kind = IntegrityError if altered else UserError
    raise kind(**parts)


_PARTS = ("code", "where", "must", "found", "todo")
