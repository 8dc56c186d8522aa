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
from everfit.contracts.runners import Size, size_of

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
    networks: tuple[Annotated[str, AfterValidator(_is_network)], ...] = Field(
        (), description="names of the networks that components may be in"
    )
    mounts: tuple[AllowedMount, ...] = Field((), description="what components may be given to see")
    containers: int = Field(128, ge=1, description="containers at once, ended ones included")
    memory: Size = Field("8Gi", description="of a container at most")
    cpus: float = Field(4.0, gt=0, description="cores of a container at most")
    pids: int = Field(1024, ge=16, description="processes and threads of a container at most")
    disk: Size = Field("4Gi", description="of a container's /tmp at most, which lies in memory")
    gpus: int = Field(0, ge=0, description="GPUs of a container at most")

    def allows_image(self, image: str) -> bool:
        """Whether an image may be run and looked at."""
        return any(_matcher(glob).fullmatch(image) is not None for glob in self.images)

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
