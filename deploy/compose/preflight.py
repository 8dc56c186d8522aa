"""Everything that is wrong with the stack's settings, a line each; run in the component image.

preflight.py FOLDER        with env, example, environ, runners.yaml, guard.yaml, pipelines/
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import ValidationError

from everfit.contracts.runners import RunnerSettings

LINE = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)=(.*)$")
WHOLE = {
    "EVERFIT_WORKER_SLOTS": (1, 64),
    "EVERFIT_SWEEP": (1, 1440),
    "EVERFIT_POLL": (1, 86400),
    "EVERFIT_STACK_PATIENCE": (10, 86400),
    "EVERFIT_AIRFLOW_PORT": (1, 65535),
    "EVERFIT_MLFLOW_PORT": (1, 65535),
}
"""Setting → smallest and largest whole number."""

BUCKETS = ("EVERFIT_STORE", "EVERFIT_DATA", "EVERFIT_LOGS", "EVERFIT_ARTIFACTS")
ADDRESSES = ("EVERFIT_S3_ENDPOINT", "EVERFIT_AIRFLOW_URL", "EVERFIT_MLFLOW_URL")
COMPOSE_OWN = re.compile(r"COMPOSE_[A-Z_]+")


def read_names(text: str) -> list[str]:
    """Names of an environment file, in its order."""
    return [found[1] for line in text.splitlines() if (found := LINE.match(line.strip()))]


def problems(folder: Path) -> Iterator[str]:
    """One line for each thing that is wrong.

    Parameters
    ----------
    folder : Path
        Copies of ``.env``, ``.env.example``, the settings as compose will see them (``environ``),
        the runners file, the guard's file, and ``pipelines/`` where there is such a folder.
    """
    texts = {
        name: path.read_text(encoding="utf-8") if (path := folder / name).is_file() else ""
        for name in ("env", "example", "environ", "runners.yaml", "guard.yaml")
    }
    environ = dict(line.split("=", 1) for line in texts["environ"].splitlines() if "=" in line)
    yield from _unknown(texts["env"], texts["example"])
    yield from _values(environ)
    yield from _store(environ)
    if not (folder / "pipelines").is_dir():
        yield _line("EVERFIT_DAGS", environ, "must be a folder with pipelines/ in it", "Correct it")
    yield from _files(environ, texts["runners.yaml"], texts["guard.yaml"])


def _line(name: str, environ: Mapping[str, str], must: str, todo: str) -> str:
    return f"SETTING {name}: {must}; it is {environ.get(name, '')!r}. {todo} in .env."


def _unknown(env: str, example: str) -> Iterator[str]:
    known = read_names(example)
    for number, line in enumerate(env.splitlines(), 1):
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        found = LINE.match(said)
        if found is None:
            yield f"SETTING .env line {number}: must be NAME=value; it is {said[:60]!r}. Fix it."
        elif found[1] not in known and not COMPOSE_OWN.fullmatch(found[1]):
            near = get_close_matches(found[1].upper(), known, 1, 0.7)
            if near:
                yield (
                    f"SETTING {found[1]}: unknown setting in line {number} of .env. "
                    f"Did you mean {near[0]}?"
                )
            elif found[1].startswith("EVERFIT_"):
                yield (
                    f"SETTING {found[1]}: unknown setting in line {number} of .env. "
                    "Remove it; .env.example has them all."
                )


def _values(environ: Mapping[str, str]) -> Iterator[str]:
    for name, (least, most) in WHOLE.items():
        value = environ.get(name, "")
        if value and not (re.fullmatch(r"[0-9]{1,9}", value) and least <= int(value) <= most):
            must = f"must be a whole number from {least} to {most}"
            yield _line(name, environ, must, "Correct it")
    airflow, mlflow = (environ.get(f"EVERFIT_{n}_PORT", "") for n in ("AIRFLOW", "MLFLOW"))
    if airflow and airflow == mlflow:
        yield _line("EVERFIT_MLFLOW_PORT", environ, "must differ from Airflow's", "Choose another")
    for name in ADDRESSES:
        value = environ.get(name, "")
        if value and not _is_address(value):
            must = "must be http:// or https:// with a host, without a path, user or password"
            yield _line(name, environ, must, "Correct it")
    project = environ.get("COMPOSE_PROJECT_NAME") or "everfit"
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", project):
        must = "must be lower-case letters, digits, - and _"
        yield _line("COMPOSE_PROJECT_NAME", environ, must, "Correct it")


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and parts.path in ("", "/")
        and plain
    )


def _store(environ: Mapping[str, str]) -> Iterator[str]:
    for name in BUCKETS:
        value = environ.get(name, "")
        if value and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?", value):
            must = "must be s3:// with a bucket, such as s3://everfit-store"
            yield _line(name, environ, must, "Correct it")
    if environ.get("EVERFIT_S3_INTERNAL", "") not in ("", "true", "false"):
        yield _line("EVERFIT_S3_INTERNAL", environ, "must be true or false", "Correct it")
    endpoint = environ.get("EVERFIT_S3_ENDPOINT", "http://s3:7070")
    started = "s3" in environ.get("COMPOSE_PROFILES", "").split(",")
    ours = endpoint and urlsplit(endpoint).hostname == "s3"
    if ours and not started:
        yield _line(
            "EVERFIT_S3_ENDPOINT",
            environ,
            "is the stack's own store, which is not started without COMPOSE_PROFILES=s3",
            "Name your store, or start ours,",
        )
    if started and not ours:
        yield (
            f"SETTING COMPOSE_PROFILES: starts the stack's own store, and EVERFIT_S3_ENDPOINT "
            f"{endpoint!r} is another. Remove s3 from COMPOSE_PROFILES in .env, or the endpoint."
        )
    if not ours and environ.get("EVERFIT_S3_INTERNAL", "true") == "true":
        host = urlsplit(endpoint).hostname or "" if endpoint else "AWS"
        if not endpoint or "." in host:
            yield _line(
                "EVERFIT_S3_INTERNAL",
                environ,
                f"must be false where the store ({host}) is outside of this machine",
                "Correct it",
            )


def _files(environ: Mapping[str, str], runners: str, guard: str) -> Iterator[str]:
    settings: RunnerSettings | None = None
    where = environ.get("EVERFIT_RUNNERS_FILE") or "./deploy/compose/runners.yaml"
    try:
        document = yaml.safe_load(runners)
        if not isinstance(document, dict) or not document:
            raise ValueError("it holds no settings")
        settings = RunnerSettings.model_validate(document)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            place = ".".join(map(str, one["loc"]))
            yield (
                f"RUNNERS {where} {place}: must be valid; {one['msg']}. See docs/how-to/docker.md."
            )
    except (ValueError, yaml.YAMLError) as error:
        said = str(error).splitlines()[0]
        yield (
            f"RUNNERS {where}: must be a YAML file of settings; {said}. See docs/how-to/docker.md."
        )
    allowed_by = environ.get("EVERFIT_GUARD_FILE") or "./deploy/compose/guard.yaml"
    try:
        allowed: Any = yaml.safe_load(guard)
        if not isinstance(allowed, dict):
            raise ValueError("it holds no settings")
    except (ValueError, yaml.YAMLError) as error:
        said = str(error).splitlines()[0]
        yield (
            f"GUARD {allowed_by}: must be a YAML file of settings; {said}. "
            "See docs/explanation/guard.md."
        )
        return
    if settings is not None:
        yield from _agree(environ, settings, allowed, allowed_by)


def _agree(
    environ: Mapping[str, str], settings: RunnerSettings, allowed: Mapping[str, Any], where: str
) -> Iterator[str]:
    project = environ.get("COMPOSE_PROJECT_NAME") or "everfit"
    networks = [
        name
        for name in (settings.networks.store, settings.networks.source, settings.networks.registry)
        if name
    ]
    for name in networks:
        if not name.startswith(f"{project}_"):
            yield (
                f"RUNNERS networks: must be those of this stack, {project}_…; found {name}. "
                "Change runners.yaml and guard.yaml with COMPOSE_PROJECT_NAME."
            )
    by_need = allowed.get("by_need")
    given = dict(by_need) if isinstance(by_need, dict) else {}
    for need in ("store", "source", "registry"):
        name = getattr(settings.networks, need)
        if name and name not in (*(allowed.get("networks") or ()), given.get(need)):
            yield (
                f"GUARD {where} networks or by_need.{need}: must hold {name}, which the runners "
                "file names. Add it."
            )
    image = settings.default.image or "everfit-components:0.1.0"
    globs = allowed.get("images") or ("everfit-components:*",)
    if not any(fnmatchcase(image, str(glob)) for glob in globs):
        yield f"GUARD {where} images: must allow {image}, which tasks are started from. Add it."


def main() -> None:
    """Print what is wrong; ends with 2 where anything is."""
    found = list(problems(Path(sys.argv[1])))
    for line in found:
        sys.stdout.write(line + "\n")
    sys.exit(2 if found else 0)


if __name__ == "__main__":
    main()
