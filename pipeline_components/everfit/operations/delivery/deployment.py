"""Deployments: numbered, never overwritten; the one with the highest number counts.

::

    bundles/<version>.tar.gz        the DAG files, put there first
    deployments/000007.json         which bundle, which images: put there last, in one atomic step

So there is no moment in which half of a deployment can be seen, of two people who deploy at once
one is refused, and going back is one more deployment that names what an earlier one named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from everfit.contracts.base import Digest, Frozen, canonical_json, digest_bytes
from everfit.contracts.errors import IntegrityError, Unavailable, UserError
from everfit.operations.delivery.bundle import Manifest
from everfit.storage.store import Store

PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]*@sha256:[0-9a-f]{64}")
COMPONENTS = "EVERFIT_COMPONENTS_IMAGE"
"""The variable that names the component image."""


class Deployment(Frozen):
    """What is deployed together."""

    format: int = 1
    number: int = Field(ge=1)
    bundle: Manifest
    images: dict[str, str] = Field(description="variable → image by digest")
    runners: dict[str, Any] = Field(
        default_factory=dict, description="what ``EVERFIT_RUNNERS`` names, images by digest"
    )
    at: str = Field(description="ISO time")
    by: str = Field("", max_length=200)
    back_to: int | None = Field(None, description="the deployment this one goes back to")
    signed: str = Field("", description="the bundle's manifest to the letter, as it was signed")
    signature: str = Field("", description="cosign's, of that; empty where nobody signed it")


def key_of(number: int) -> str:
    """Where a deployment is."""
    return f"deployments/{number:06d}.json"


def archive_key(version: Digest) -> str:
    """Where a bundle is."""
    return f"bundles/{version}.tar.gz"


def numbers(store: Store) -> list[int]:
    """Of all deployments, oldest first."""
    found = re.compile(r"deployments/([0-9]{6,})\.json")
    return sorted(int(m[1]) for key in store.keys("deployments/") if (m := found.fullmatch(key)))


def read(store: Store, number: int | None = None) -> Deployment | None:
    """A deployment, or the newest; None where there is none.

    Raises
    ------
    UserError
        If there is none of that number.
    """
    there = numbers(store)
    if number is None and not there:
        return None
    data = store.read(key_of(there[-1] if number is None else number))
    if data is None:
        raise UserError(
            "DEPLOY-UNKNOWN",
            f"deployment {number}",
            "it must be one there was",
            f"there are {there[0]} to {there[-1]}" if there else "there is none yet",
        )
    return Deployment.model_validate_json(data)


def deploy(
    store: Store,
    archive: bytes,
    manifest: Manifest,
    images: Mapping[str, str],
    runners: Mapping[str, Any],
    at: datetime,
    by: str,
    signed: tuple[str, str] = ("", ""),
) -> Deployment:
    """Put a bundle there, then the deployment that names it.

    Parameters
    ----------
    store : Store
        Where to.
    archive : bytes
        The DAG files.
    manifest : Manifest
        Of the archive.
    images, runners : mapping
        Images by digest, and the settings that name them.
    at : datetime
        Now.
    by : str
        Who deploys.
    signed : tuple of str
        The text of the manifest that was signed, and cosign's signature of it.

    Raises
    ------
    IntegrityError
        If the archive is not what its manifest says.
    Unavailable
        If somebody else deployed meanwhile; nothing is changed.
    """
    if digest_bytes(archive) != manifest.sha256:
        raise IntegrityError(
            "DEPLOY-ARCHIVE",
            manifest.version[:12],
            "the archive must be what its manifest says",
            todo="Make the bundle again",
        )
    last = numbers(store)
    key = archive_key(manifest.version)
    if not store.create(key, archive):
        # Another zlib packs the same files into other bytes; those that are there stay.
        there = store.read(key) or b""
        manifest = manifest.model_copy(update={"sha256": digest_bytes(there), "size": len(there)})
    return _publish(
        store,
        Deployment(
            number=(last[-1] if last else 0) + 1,
            bundle=manifest,
            images=dict(sorted(images.items())),
            runners=dict(runners),
            at=at.isoformat(timespec="seconds"),
            by=by,
            signed=signed[0],
            signature=signed[1],
        ),
    )


def go_back(store: Store, number: int, at: datetime, by: str) -> Deployment:
    """Deploy once more what an earlier deployment named.

    Raises
    ------
    UserError
        If there is none of that number, or its bundle is gone.
    Unavailable
        If somebody else deployed meanwhile; nothing is changed.
    """
    earlier = read(store, number)
    assert earlier is not None  # a number was given
    if not store.exists(archive_key(earlier.bundle.version)):
        raise UserError(
            "DEPLOY-GONE",
            f"deployment {number}",
            "its bundle must still be there",
            "it is not",
            "Choose another, or deploy that commit anew",
        )
    return _publish(
        store,
        earlier.model_copy(
            update={
                "number": numbers(store)[-1] + 1,
                "at": at.isoformat(timespec="seconds"),
                "by": by,
                "back_to": number,
            }
        ),
    )


def _publish(store: Store, deployment: Deployment) -> Deployment:
    if not store.create(key_of(deployment.number), canonical_json(deployment)):
        raise Unavailable(
            "DEPLOY-RACED",
            f"deployment {deployment.number}",
            "nobody else may deploy at the same time",
            "somebody has",
            "Look at what is deployed, and try again",
        )
    return deployment


def differences(old: Deployment | None, manifest: Manifest, images: Mapping[str, str]) -> list[str]:
    """What a deployment would change, a line each; none: nothing."""
    before = old.bundle.files if old else {}
    lines = [f"+ dags/{name}" for name in manifest.files if name not in before]
    lines += [f"- dags/{name}" for name in before if name not in manifest.files]
    lines += [
        f"~ dags/{name}"
        for name, digest in manifest.files.items()
        if name in before and before[name] != digest
    ]
    had = old.images if old else {}
    lines += [f"~ {name} {image}" for name, image in images.items() if had.get(name) != image]
    lines += [f"- {name}" for name in had if name not in images]
    return lines


def read_images(lines: Iterable[str]) -> dict[str, str]:
    """Images by digest from lines such as ``EVERFIT_COMPONENTS_IMAGE=registry/name@sha256:…``.

    Raises
    ------
    UserError
        If one is not by digest: a tag can be moved.
    """
    found = {}
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        name, _, image = line.partition("=")
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name) or not PINNED.fullmatch(image):
            raise UserError(
                "DEPLOY-IMAGE",
                line[:200],
                "an image is deployed by digest: NAME=image@sha256:…",
                todo="Push it with make push-images, which writes the file",
            )
        found[name] = image
    return found


def guard_with_images(path: Path, deployment: Deployment) -> str:
    """The Docker guard's settings with the component images of a deployment allowed, by digest.

    Raises
    ------
    UserError
        If the file cannot be read, or is no YAML of settings.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(
            "DEPLOY-GUARD", str(path), "it must be a YAML file", type(error).__name__
        ) from error
    if not isinstance(document, dict):
        raise UserError("DEPLOY-GUARD", str(path), "it must hold the guard's settings")
    allowed = {image for image in _images(deployment.runners) if PINNED.fullmatch(image)}
    allowed |= {image for name, image in deployment.images.items() if name == COMPONENTS}
    kept = [image for image in document.get("images") or () if image not in allowed]
    document["images"] = [*kept, *sorted(allowed)]
    return yaml.safe_dump(document, sort_keys=False)


def with_image(text: str, images: Mapping[str, str]) -> dict[str, Any]:
    """The runners' settings with the component image by digest, where none is named closer.

    Raises
    ------
    UserError
        If the settings are wrong, or name an image that is not by digest.
    """
    from pydantic import ValidationError

    from everfit.contracts.runners import RunnerSettings

    document = yaml.safe_load(text) or {}
    if COMPONENTS in images:
        document = {**document, "default": {**(document.get("default") or {})}}
        document["default"]["image"] = images[COMPONENTS]
    try:
        RunnerSettings.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            "DEPLOY-RUNNERS", ".".join(map(str, first["loc"])) or "runners", first["msg"]
        ) from None
    loose = sorted({image for image in _images(document) if not PINNED.fullmatch(image)})
    if loose and images:
        raise UserError(
            "DEPLOY-LOOSE",
            ", ".join(loose)[:200],
            "an image is deployed by digest",
            "a tag can be moved",
            "Name it as image@sha256:… in the runners' settings",
        )
    return document if isinstance(document, dict) else {}


def _images(node: Any) -> Iterable[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "image" and isinstance(value, str):
                yield value
            else:
                yield from _images(value)
