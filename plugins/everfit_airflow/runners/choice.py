"""Which runner starts a component, with what: the installation's settings, never a spec's author.

A pipeline may name an image of its own, as far as the installation allows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from everfit.contracts.errors import EverfitError, SpecError, UserError, shortlist
from everfit.contracts.messages.steps import Component
from everfit.contracts.runners import Place, RunnerName, RunnerSettings, needs
from everfit.contracts.settings import Settings
from everfit.contracts.spec.load import spec_error
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.yaml_file import read_document
from everfit_airflow.operators.failures import UserActionRequired
from everfit_airflow.runners import Runner, Task
from everfit_airflow.runners.interpreter import component_python
from everfit_airflow.runners.process import ProcessRunner
from everfit_airflow.security.child_environment import child_environment, container_environment
from everfit_airflow.security.credentials import is_credential


@dataclass(frozen=True)
class Choice:
    """A runner, and what its component is given."""

    runner: Runner
    place: Place
    environment: dict[str, str]
    """The component's, but for its credentials."""


def installation(environ: Mapping[str, str]) -> RunnerSettings:
    """What ``EVERFIT_RUNNERS`` names, with ``EVERFIT_RUNNER`` where that does not say the runner.

    Raises
    ------
    UserError
        With every problem of the file.
    """
    settings = _read(environ.get("EVERFIT_RUNNERS") or "")
    quick = environ.get("EVERFIT_RUNNER") or ""
    if not quick:
        return settings
    known = get_args(RunnerName)
    if quick not in known:
        near = get_close_matches(quick, known, n=1)
        raise UserError(
            "RUNNERS",
            "EVERFIT_RUNNER",
            f"it is one of {', '.join(known)}",
            f"it is {quick!r}",
            f"Did you mean {near[0]!r}?" if near else "Correct it or leave it out",
        )
    if settings.default.runner is not None:
        return settings
    return settings.model_copy(
        update={"default": settings.default.model_copy(update={"runner": quick})}
    )


def place_of(settings: RunnerSettings, spec: PipelineSpec, component: Component) -> Place:
    """Where a component runs, in the image that its pipeline names for it.

    Raises
    ------
    UserError
        If the installation does not let the pipeline name it, or starts no containers.
    """
    place = settings.place(spec, component)
    image = spec.image_of(component)
    if image is None:
        return place
    if place.runner == "process":
        raise UserError(
            "IMAGES",
            spec.name,
            "an image of its own needs a runner that starts containers",
            f"{component} names {image} and is started as a process",
            "Set runner to docker or kubernetes in the runners file (EVERFIT_RUNNERS), or take "
            "images out of the pipeline's YAML",
        )
    if not settings.may_name(image):
        raise UserError(
            "IMAGES",
            spec.name,
            "an image that a pipeline names must be allowed here",
            f"{image} of {component} fits none of: {shortlist(settings.allow_images) or 'nothing'}",
            "Ask who keeps the runners file (EVERFIT_RUNNERS) to add it to allow_images",
        )
    return place.model_copy(update={"image": image})


def choose(
    settings: RunnerSettings,
    spec: PipelineSpec,
    component: Component,
    task: Task,
    here: Settings,
    environ: Mapping[str, str],
) -> Choice:
    """The runner of a component.

    Parameters
    ----------
    here : Settings
        Of the process that asks.
    environ : mapping
        Its environment.

    Raises
    ------
    UserError
        If a person must fix the settings.
    UserActionRequired
        If the components' interpreter is not there.
    """
    place = place_of(settings, spec, component)
    if place.runner == "process":
        seen = {name: value for name, value in environ.items() if not is_credential(name)}
        environment = child_environment(seen, str(here.root)) | place.environment
        return Choice(ProcessRunner(component_program(here.root, environ)), place, environment)
    environment = container_environment(environ) | place.environment
    return Choice(_container_runner(settings, place, component, task), place, environment)


def fence(
    left: Mapping[str, Any],
    settings: RunnerSettings,
    chosen: Choice,
    component: Component,
    task: Task,
) -> str | None:
    """End what an earlier try left and this one does not take over; a sentence where there was any.

    A try that runs containers finds by itself what one of its kind has left.
    """
    kind: RunnerName = left.get("runner", "process")
    if kind == "process":
        return ProcessRunner(()).fence(left)
    if kind == chosen.place.runner or kind not in get_args(RunnerName):
        return None
    place = chosen.place.model_copy(update={"runner": kind})
    try:
        return _container_runner(settings, place, component, task).fence(left)
    except EverfitError as error:  # it may be why another runner was chosen
        return f"What an earlier try left could not be ended: {error.line}"


def lasting(
    place: Place, component: Component, environment: Mapping[str, str], secrets: Mapping[str, str]
) -> None:
    """See that what a container keeps outlives it.

    Raises
    ------
    UserError
        If it would write to a folder of its own, which is gone with it.
    """
    if place.runner == "process":
        return
    inside = Settings.from_environment({"EVERFIT_ROOT": "/", **environment, **secrets})
    kept = {"EVERFIT_STORE": inside.store, "EVERFIT_LEDGER": inside.ledger}
    if "registry" in needs(component):
        kept["EVERFIT_MLFLOW"] = inside.mlflow
    lost = [name for name, where in kept.items() if not _outlives(where, place)]
    if lost:
        raise UserError(
            "RUNNERS-STORE",
            component,
            "what a container keeps must outlive it",
            f"{shortlist(lost)} would be in a folder of the container",
            "Set it to a service that containers reach, or mount a volume and set EVERFIT_HOME "
            "to it in the runners file (docs/how-to/docker.md)",
        )


def makes_its_key(place: Place, environment: Mapping[str, str]) -> bool:
    """Whether a signing key that a container makes in its home would be there the next time."""
    return _mounted(environment.get("EVERFIT_HOME", ""), place)


def component_program(root: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The command that carries out an order on this machine.

    Raises
    ------
    UserActionRequired
        If the components' interpreter is not there.
    """
    try:
        python = component_python(root, environ)
    except UserError as error:
        raise UserActionRequired(error.line) from None
    return (str(python), "-m", "everfit.engine.execute")


def _read(named: str) -> RunnerSettings:
    if not named:
        return RunnerSettings()
    path = Path(named)
    try:
        document = read_document(path)
        return RunnerSettings.model_validate(document.data)
    except SpecError as error:
        problems = error.told
    except ValidationError as error:
        problems = spec_error(path.name, RunnerSettings, error, document).told
    raise UserError(
        "RUNNERS",
        str(path),
        "the runners file must be right",
        f"{len(problems)} problem{'s' * (len(problems) != 1)}: " + shortlist(problems, sep=" | "),
        "Correct it (docs/how-to/docker.md), or unset EVERFIT_RUNNERS",
    )


def _container_runner(
    settings: RunnerSettings, place: Place, component: Component, task: Task
) -> Runner:
    if place.runner == "kubernetes":
        from everfit_airflow.runners.kubernetes import KubernetesRunner

        return KubernetesRunner(place, task, settings.kubernetes)
    from everfit_airflow.runners.docker import DockerRunner

    return DockerRunner(place, task, settings.networks_of(place, component))


def _outlives(where: str, place: Place) -> bool:
    scheme, _, rest = where.partition("://")
    if scheme == "memory":
        return False
    if scheme == "file" or scheme.startswith("sqlite"):
        return _mounted("/" + rest.lstrip("/"), place)
    return bool(rest)


def _mounted(path: str, place: Place) -> bool:
    """Whether a path lies on a mount that is written to."""
    return any(
        Path(path).is_relative_to(mount.target) for mount in place.mounts if not mount.read_only
    )
