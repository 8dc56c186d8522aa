"""What an installation lets its workers ask of the engine: one YAML, named by ``EVERFIT_GUARD``."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, Field, ValidationError

from everfit.contracts.base import Frozen
from everfit.contracts.messages.steps import Component
from everfit.contracts.runners import Size, needs, size_of

LISTEN, SOCKET, FILE = "EVERFIT_GUARD_LISTEN", "EVERFIT_GUARD_SOCKET", "EVERFIT_GUARD"
DEFAULT_LISTEN, DEFAULT_SOCKET = "0.0.0.0:2375", "/var/run/docker.sock"


def _is_network(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name, re.ASCII):
        raise ValueError("a network is named by letters, digits, _, . and -")
    if name in ("host", "none", "default"):
        raise ValueError(f"{name} is no network a component may be in")
    return name


def _is_source(source: str) -> str:
    if source.startswith("/"):
        if posixpath.normpath(source) != source or source == "/" or source.startswith("//"):
            raise ValueError("a folder is written in full, without . or .., and is not /")
    elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]+", source, re.ASCII):
        raise ValueError("a volume is named by letters, digits, _, . and -")
    return source


class AllowedMount(Frozen):
    """A volume or folder that a component may be given."""

    source: Annotated[str, AfterValidator(_is_source)] = Field(
        description="a volume's name, or a folder of the engine's machine; exactly this one"
    )
    writable: bool = Field(False, description="whether a component may write to it")


Network = Annotated[str, AfterValidator(_is_network)]


class NetworksByNeed(Frozen):
    """Networks of those components alone that reach what answers there."""

    store: Network | None = Field(None, description="where the store and the ledger answer")
    source: Network | None = Field(None, description="where sources answer")
    registry: Network | None = Field(None, description="where MLflow answers")


class Policy(Frozen):
    """What one component may use, in place of what all may."""

    images: tuple[str, ...] | None = Field(None, description="globs of its images")
    networks: tuple[Network, ...] | None = Field(None, description="names of its networks")


class Runner(Frozen):
    """Who may ask, known by a token."""

    token: Path = Field(description="a file that holds it, such as /run/secrets/guard_token")
    components: tuple[Component, ...] | None = Field(
        None, description="what this runner may start; all where it is left out"
    )


class GuardSettings(Frozen):
    """The whole file; what it leaves out is allowed to nobody, or limited as here."""

    name: str = Field(
        "everfit",
        pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$",
        description="of this installation: a guard lets nobody touch the containers of another",
    )
    images: tuple[str, ...] = Field(
        ("everfit-components:*",),
        description="globs of images; * and ? stop at a /, so that none names another registry",
    )
    pull: bool = Field(True, description="whether those images may be fetched")
    networks: tuple[Network, ...] = Field(
        (), description="names of the networks that every component may be in"
    )
    by_need: NetworksByNeed = Field(
        NetworksByNeed(), description="and of those that only components which need them may be in"
    )
    components: dict[Component, Policy] = Field(
        default_factory=dict, description="component → what it may use instead of the above"
    )
    runners: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")], Runner] = Field(
        default_factory=dict, description="who may ask; none: whoever reaches the guard"
    )
    mounts: tuple[AllowedMount, ...] = Field((), description="what components may be given to see")
    containers: int = Field(128, ge=1, description="containers at once, ended ones included")
    memory: Size = Field("8Gi", description="of a container at most")
    cpus: float = Field(4.0, gt=0, description="cores of a container at most")
    pids: int = Field(1024, ge=16, description="processes and threads of a container at most")
    disk: Size = Field("4Gi", description="of a container's /tmp at most, which lies in memory")
    gpus: int = Field(0, ge=0, description="GPUs of a container at most")
    logs: Size = Field("256Mi", description="of a container's lines at most, on the engine's disk")

    def allows_image(self, image: str, component: str | None = None) -> bool:
        """Whether an image may be run by a component; without one, whether any may."""
        globs = {*self.images} | {
            glob for policy in self.components.values() for glob in policy.images or ()
        }
        if component is not None:
            own = self._policy(component).images
            globs = {*(self.images if own is None else own)}
        return any(_matcher(glob).fullmatch(image) is not None for glob in globs)

    def networks_of(self, component: str) -> frozenset[str]:
        """The networks that a component may be in."""
        own = self._policy(component).networks
        if own is not None:
            return frozenset(own)
        reached = (getattr(self.by_need, need) for need in needs(component))  # type: ignore[arg-type]
        return frozenset((*self.networks, *filter(None, reached)))

    def _policy(self, component: str) -> Policy:
        return self.components.get(component, Policy())  # type: ignore[call-overload, no-any-return]

    @property
    def most_logs(self) -> int:
        """Bytes of lines at most."""
        return size_of(self.logs)

    @property
    def most_memory(self) -> int:
        """Bytes of memory at most."""
        return size_of(self.memory)

    @property
    def most_disk(self) -> int:
        """Bytes of /tmp at most."""
        return size_of(self.disk)


class SettingsError(Exception):
    """One line on what is wrong with the file."""


def read_settings(environ: Mapping[str, str]) -> GuardSettings:
    """The file that ``EVERFIT_GUARD`` names; the defaults where it names none.

    Raises
    ------
    SettingsError
        If there is such a setting and it cannot be had: nothing is then let through.
    """
    path = environ.get(FILE)
    if not path:
        return GuardSettings()
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return GuardSettings.model_validate({} if document is None else document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise SettingsError(f"GUARD {path} {where}: must be valid; {first['msg']}.") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SettingsError(f"GUARD {path}: must be a YAML file; {type(error).__name__}.") from None


@lru_cache(maxsize=256)
def _matcher(glob: str) -> re.Pattern[str]:
    pieces = {"*": "[A-Za-z0-9._:@-]*", "?": "[A-Za-z0-9._:@-]"}
    return re.compile("".join(pieces.get(letter, re.escape(letter)) for letter in glob))
