"""The shape of a component's container: what the engine is asked for, and the files it is given.

Nothing here talks to an engine. What a guard before the engine lets through is this shape.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from everfit.contracts.runners import Place, size_of
from everfit_airflow.runners import Task

LABEL = "io.everfit."
FOLDER = "/task"
"""Where order and outcome are: an anonymous volume, removed with its container."""
ORDER, OUTCOME, OWNER = "order.json", "outcome.json", "owner"
COMMAND = ("--order", f"{FOLDER}/{ORDER}", "--outcome", f"{FOLDER}/{OUTCOME}")

USER = "50000:50000"
"""Whom a component runs as where its image names nobody, root, or a name that might mean root."""

LARGEST = 1 << 20
"""Bytes of an outcome at most."""

CPU_PERIOD = 100_000
"""Microseconds that ``CpuQuota`` is a part of; unlike ``NanoCpus`` it may exceed the machine."""


def user_of(image: Mapping[str, Any]) -> str:
    """The user of an image, where it is a number and not root's; else ``USER``.

    With a group that is not root's: the one of the user's number where the image has no other.
    """
    named = str((image.get("Config") or {}).get("User") or "")
    found = re.fullmatch(r"0*([1-9][0-9]*)(?::0*([0-9]*))?", named, re.ASCII)
    return f"{found[1]}:{found[2] or found[1]}" if found else USER


def digest(order: bytes) -> str:
    """What an order is recognised by."""
    return hashlib.sha256(order).hexdigest()


def labels(task: Task, order: bytes, image: Mapping[str, Any]) -> dict[str, str]:
    """Whose container it is, and what it carries out."""
    return {
        f"{LABEL}task": task.name,
        f"{LABEL}pipeline": task.pipeline,
        f"{LABEL}component": task.component,
        f"{LABEL}dag": task.dag_id,
        f"{LABEL}run": task.run_id,
        f"{LABEL}order": digest(order),
        f"{LABEL}image": str(image["Id"]),
    }


def body(
    task: Task,
    place: Place,
    networks: Sequence[str],
    order: bytes,
    image: Mapping[str, Any],
    environment: Mapping[str, str],
) -> dict[str, Any]:
    """The whole request that creates the container.

    Parameters
    ----------
    networks : sequence of str
        The first is its network; the others are connected before it starts. None: no network.
    image : mapping
        As the engine describes it.
    environment : mapping
        Credentials among it.
    """
    memory = size_of(place.memory)
    host: dict[str, Any] = {
        "ReadonlyRootfs": True,
        "Tmpfs": {"/tmp": f"rw,nosuid,nodev,noexec,mode=1777,size={size_of(place.disk)}"},  # noqa: S108
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "PidsLimit": place.pids,
        "Memory": memory,
        "MemorySwap": memory,  # no swap: what wants more memory is told so, not slowed down
        "CpuPeriod": CPU_PERIOD,
        "CpuQuota": max(1000, int(place.cpu * CPU_PERIOD)),
        "NetworkMode": networks[0] if networks else "none",
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "100m", "max-file": "1"}},
    }
    if place.mounts:
        host["Mounts"] = [
            {
                "Type": "bind" if mount.source.startswith("/") else "volume",
                "Source": mount.source,
                "Target": mount.target,
                "ReadOnly": mount.read_only,
            }
            for mount in place.mounts
        ]
    if place.gpu:
        host["DeviceRequests"] = [
            {"Driver": "", "Count": place.gpu, "Capabilities": [["gpu"]], "Options": {}}
        ]
    return {
        "Image": place.image,
        "Cmd": list(COMMAND),
        "User": user_of(image),
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Labels": labels(task, order, image),
        "Volumes": {FOLDER: {}},
        "Tty": False,
        "HostConfig": host,
    }


def given(order: bytes, owner: str, user: str) -> bytes:
    """An archive of what the container finds in ``/task``: the order, an outcome to fill, an owner.

    The folder is root's where the image does not have it; the outcome is there, so that the
    component may write it all the same.
    """
    uid, _, gid = user.partition(":")
    return _archive(
        (_file(ORDER, order, 0o444), _file(OWNER, owner.encode(), 0o444)),
        (_file(OUTCOME, b"", 0o666, int(uid), int(gid or 0)),),
    )


def taken(owner: str) -> bytes:
    """An archive that makes a container somebody else's."""
    return _archive((_file(OWNER, owner.encode(), 0o444),))


def _file(
    name: str, content: bytes, mode: int, uid: int = 0, gid: int = 0
) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.uid, entry.gid = len(content), mode, uid, gid
    return entry, content


def _archive(*groups: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for group in groups:
            for entry, content in group:
                tar.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def content(chunks: Iterable[bytes], limit: int = LARGEST) -> bytes | None:
    """The only file of an archive; None where it is no plain file, or is empty.

    Raises
    ------
    ValueError
        If it is larger than may be.
    """
    read = bytearray()
    for chunk in chunks:
        read += chunk
        if len(read) > limit + 10 * tarfile.RECORDSIZE:  # an archive is padded
            raise ValueError(f"at most {limit} bytes")
    try:
        with tarfile.open(fileobj=io.BytesIO(bytes(read)), mode="r:") as tar:
            entry = tar.next()
            file = tar.extractfile(entry) if entry is not None and entry.isfile() else None
            found = file.read(limit + 1) if file is not None else b""
    except tarfile.TarError:
        return None
    if len(found) > limit:
        raise ValueError(f"at most {limit} bytes")
    return found or None
