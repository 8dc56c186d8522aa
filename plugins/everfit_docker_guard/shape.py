"""The containers there are: the body of a create, field by field.

The models name every field that may say something. A field they do not name must say nothing
(null, false, 0 or empty), and is then left out of what the engine gets. The shape is the one that
``everfit_airflow.runners.docker_container`` asks for.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from everfit.contracts.messages.steps import Component
from everfit_docker_guard.refusal import Refused
from everfit_docker_guard.settings import GuardSettings

LABEL = "io.everfit."
OURS = f"{LABEL}guard"
"""The label a guard adds: whose containers it lets anybody touch."""

FOLDER = "/task"
LEAST_MEMORY = 6 << 20
PROBLEMS = 3
"""Problems told of one body."""


class Shape(BaseModel):
    """Closed to fields it does not name, unless they say nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, said: Any) -> Any:
        if not isinstance(said, dict):
            return said
        named = {field.alias or name for name, field in cls.model_fields.items()}
        return {k: v for k, v in said.items() if v or (k in named and v is not None)}


class Nothing(Shape):
    """An object that says nothing."""


class Restart(Shape):
    """None: who restarts a component is Airflow."""

    Name: Literal["", "no"] = ""


class LogLimits(Shape):
    """How large the files of lines may be, and how many there may be."""

    size: str = Field(alias="max-size", pattern=r"^[1-9][0-9]{0,8}[kmg]?$")
    files: str = Field(alias="max-file", pattern=r"^([1-9]|10)$")

    @property
    def bytes(self) -> int:
        """Of all of them together, by the larger of the two readings of a unit."""
        unit = self.size[-1]
        number = int(self.size.rstrip("kmg")) << {"k": 10, "m": 20, "g": 30}.get(unit, 0)
        return number * int(self.files)


class LogSettings(Shape):
    """Where the engine keeps lines: in files of its own, of a bounded size."""

    Type: Literal["json-file"]
    limits: LogLimits = Field(alias="Config")


class MountShape(Shape):
    """One thing it is given to see."""

    Type: Literal["bind", "volume"]
    Source: str
    Target: str
    ReadOnly: bool = False


class Gpus(Shape):
    """GPUs, by number alone."""

    Driver: Literal["", "nvidia"] = ""
    Count: int = Field(ge=1)
    Capabilities: list[list[Literal["gpu"]]] = Field(min_length=1, max_length=1)


class Host(Shape):
    """What it may use of the engine's machine."""

    ReadonlyRootfs: Literal[True]
    CapDrop: list[Literal["ALL"]] = Field(min_length=1, max_length=1)
    SecurityOpt: list[Literal["no-new-privileges:true", "no-new-privileges"]] = Field(
        min_length=1, max_length=1
    )
    PidsLimit: int = Field(ge=1)
    Memory: int = Field(ge=LEAST_MEMORY)
    MemorySwap: int = Field(ge=LEAST_MEMORY)
    CpuPeriod: int = Field(0, ge=0, le=1_000_000)
    CpuQuota: int = Field(0, ge=0)
    NanoCpus: int = Field(0, ge=0)
    NetworkMode: str = Field(max_length=255)
    Tmpfs: dict[Literal["/tmp"], str] = Field(default_factory=dict)  # noqa: S108
    LogConfig: LogSettings
    Mounts: list[MountShape] = Field(default_factory=list, max_length=32)
    DeviceRequests: list[Gpus] = Field(default_factory=list, max_length=1)
    RestartPolicy: Restart | None = None


class Ours(Shape):
    """Whose it is, and what it carries out."""

    task: str = Field(alias=f"{LABEL}task", pattern=r"^everfit-[a-z0-9-]{1,96}$")
    pipeline: str = Field(alias=f"{LABEL}pipeline", min_length=1, max_length=250)
    component: Component = Field(alias=f"{LABEL}component")
    dag: str = Field(alias=f"{LABEL}dag", max_length=250)
    run: str = Field(alias=f"{LABEL}run", max_length=250)
    order: str = Field(alias=f"{LABEL}order", pattern=r"^[0-9a-f]{64}$")
    image: str = Field(alias=f"{LABEL}image", pattern=r"^sha256:[0-9a-f]{64}$")


class Container(Shape):
    """The whole body."""

    Image: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}$")
    Cmd: list[str]
    User: str = Field(pattern=r"^[0-9]{1,10}:[0-9]{1,10}$")
    Env: list[str] = Field(default_factory=list, max_length=1024)
    Labels: Ours
    Volumes: dict[Literal["/task"], Nothing] = Field(min_length=1)
    HostConfig: Host


COMMAND = ["--order", f"{FOLDER}/order.json", "--outcome", f"{FOLDER}/outcome.json"]


def judged(said: Any, name: str, settings: GuardSettings) -> dict[str, Any]:
    """The body the engine gets for the one that was sent.

    Parameters
    ----------
    said : object
        What the JSON held.
    name : str
        The container's.

    Raises
    ------
    Refused
        If it is not of the shape, or more than the settings allow.
    """
    try:
        wanted = Container.model_validate(said)
    except ValidationError as error:
        raise Refused("create", "; ".join(_told(error))) from None
    problems = list(_problems(wanted, name, settings))
    if problems:
        raise Refused("create", "; ".join(problems[:PROBLEMS]))
    body = wanted.model_dump(by_alias=True, exclude_none=True)
    body["Labels"][OURS] = settings.name
    return body


def _told(error: ValidationError) -> list[str]:
    """Where and why, without any value: one could be a secret."""
    told = []
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(re.sub(r"[^A-Za-z0-9_.-]", "?", str(part))[:60] for part in one["loc"])
        if one["type"] == "extra_forbidden":
            told.append(f"{where or 'the body'} must be left out")
        else:
            told.append(f"{where or 'the body'} is not as the runner has it ({one['msg']})")
    more = len(told) - PROBLEMS
    return told[:PROBLEMS] + ([f"and {more} more"] if more > 0 else [])


def _problems(wanted: Container, name: str, settings: GuardSettings) -> list[str]:
    """What is of the shape, and still not allowed here."""
    host, component = wanted.HostConfig, wanted.Labels.component
    told = []
    if not settings.allows_image(wanted.Image, component):
        told.append(f"Image is none of those that {component} may use")
    if wanted.Cmd != COMMAND:
        told.append("Cmd is not the runner's")
    uid, _, gid = wanted.User.partition(":")
    if not 0 < int(uid) < _TOO_MANY:
        told.append("User is root, or no user")
    if not 0 < int(gid) < _TOO_MANY:
        told.append("User's group is root's, or none")
    if wanted.Labels.task != name:
        told.append(f"its name is not its label {LABEL}task")
    if any(
        re.match(r"[A-Za-z_][A-Za-z0-9_.-]*=", one) is None or "\0" in one for one in wanted.Env
    ):
        told.append("Env is a list of NAME=value")
    if host.NetworkMode not in ("none", *settings.networks_of(component)):
        told.append(f"NetworkMode is none of the networks that {component} may use")
    return [*told, *_limits(host, settings), *_places(host, settings)]


def _limits(host: Host, settings: GuardSettings) -> list[str]:
    told = []
    if host.Memory > settings.most_memory or host.MemorySwap != host.Memory:
        told.append(f"Memory is more than {settings.memory}, or MemorySwap is not the same")
    if host.PidsLimit > settings.pids:
        told.append(f"PidsLimit is more than {settings.pids}")
    by_quota = host.CpuQuota / host.CpuPeriod if host.CpuPeriod >= 1000 else 0.0
    cpus = (by_quota, host.NanoCpus / 10**9)
    if min(cpus) > 0 or not 0 < max(cpus) <= settings.cpus:
        told.append(f"CpuQuota or NanoCpus says no number of cores up to {settings.cpus:g}")
    gpus = sum(request.Count for request in host.DeviceRequests)
    if gpus > settings.gpus or any(
        request.Capabilities != [["gpu"]] for request in host.DeviceRequests
    ):
        told.append(f"DeviceRequests is more than {settings.gpus} GPUs")
    return told


def _places(host: Host, settings: GuardSettings) -> list[str]:
    told = []
    for options in host.Tmpfs.values():
        found = _TMPFS.fullmatch(options)
        words = set(options.split(","))
        if found is None or not {"nosuid", "nodev"} <= words:
            told.append("Tmpfs is not rw,nosuid,nodev,mode=…,size=…")
        elif int(found[1]) > settings.most_disk:
            told.append(f"Tmpfs is larger than {settings.disk}")
    if host.LogConfig.limits.bytes > settings.most_logs:
        told.append(f"LogConfig.Config is more than {settings.logs}")
    allowed = {mount.source: mount for mount in settings.mounts}
    targets = []
    for mount in host.Mounts:
        known = allowed.get(mount.Source)
        if known is None or (mount.Type == "bind") != mount.Source.startswith("/"):
            told.append("Mounts has a source that is none of mounts")
        elif not (mount.ReadOnly or known.writable):
            told.append("Mounts has one that is to be read only")
        targets.append(mount.Target)
        if not mount.Target.startswith("/") or posixpath.normpath(mount.Target) != mount.Target:
            told.append("Mounts has a target that is not written in full")
        elif (
            mount.Target == "/"
            or mount.Target.startswith("//")
            or any((mount.Target + "/").startswith(f"{kept}/") for kept in _KEPT)
        ):
            told.append("Mounts has a target that is the container's own")
    if len(set(targets)) != len(targets):
        told.append("Mounts has a target twice")
    return told


_TOO_MANY = 1 << 31
_TMPFS = re.compile(
    r"(?:(?:rw|nosuid|nodev|noexec|exec|mode=[01]?[0-7]{3}),)*size=([1-9][0-9]{0,15})"
)
_KEPT = (FOLDER, "/tmp", "/proc", "/sys", "/dev")  # noqa: S108
