"""Digests of what a result depends on besides its request: the code and the environment."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pipeline_components.contracts.base import Digest, digest_of
from pipeline_components.contracts.spans import Span
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.steps import CHAIN

CAN_CHANGE_BITS = (
    "joblib", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "skops", "threadpoolctl",
)  # fmt: skip
"""The distributions whose version can change a model's bits."""

KERNEL_VARIABLES = (
    "MKL_CBWR", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES", "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
)  # fmt: skip
"""Variables that choose the kernels of numerical libraries: another kernel adds up otherwise."""

IN_NO_KEY: dict[str, Any] = {
    **dict.fromkeys(
        ("description", "owner", "tags", "triggers", "monitor", "notify", "images"), True
    ),
    "gate": {"mode", "approval"},
}
"""Fields of a spec that no model and no verdict depends on; of images, only the chain's count."""


@cache
def code_digest() -> Digest:
    """sha-256 over the components' source files, by relative path and content."""
    here = Path(__file__).parent
    return source_digest(
        {
            path.relative_to(here).as_posix(): path.read_bytes()
            for path in here.rglob("*")
            if path.suffix == ".py" and "__pycache__" not in path.parts
        }
    )


def source_digest(files: Mapping[str, bytes]) -> Digest:
    """The digest of code that is not necessarily what runs: path below the package → source."""
    total = hashlib.sha256()
    for name in sorted(files, key=lambda name: name.split("/")):
        total.update(name.encode() + b"\0")
        total.update(hashlib.sha256(files[name]).digest())
    return total.hexdigest()


@cache
def environment() -> dict[str, str]:
    """Python, machine, and the versions and variables that can change a model's bits."""
    found = {"python": ".".join(map(str, sys.version_info[:3])), "machine": platform.machine()}
    versions = installed()
    found |= {name: versions.get(name, "absent") for name in CAN_CHANGE_BITS}
    return found | {name: os.environ[name] for name in KERNEL_VARIABLES if name in os.environ}


def installed() -> dict[str, str]:
    """Distribution → version, by the names of the ``.dist-info`` folders on the path.

    ``importlib.metadata`` says the same and costs a tenth of what an unchanged run may.
    """
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            entries = os.listdir(folder or ".")  # noqa: PTH208
        except OSError:
            continue
        for entry in entries:
            if entry.endswith(".dist-info"):
                name, _, version = entry.removesuffix(".dist-info").partition("-")
                found.setdefault(name.lower().replace("_", "-"), version)
    return found


@cache
def environment_digest() -> Digest:
    """sha-256 of ``environment()``."""
    return digest_of(environment())


def spec_digest(spec: PipelineSpec) -> Digest:
    """sha-256 of the values that can change a result; not text, triggers, monitoring or mail.

    Of images, those that the chain's components run in: ``default`` or all of them by name is the
    same. Without one the digest is what it was before a spec could name any.
    """
    values = spec.model_dump(mode="json", exclude=IN_NO_KEY)
    images = {name: image for name in CHAIN if (image := spec.image_of(name))}
    return digest_of({**values, "images": images} if images else values)


def own_checks(paths: Sequence[str]) -> dict[str, Digest]:
    """Digest of the code of each of the user's checks, so that one that changed is asked anew.

    Of the file the path names or, where that is a package, of all files directly in it. A check
    that cannot be found has none. Of its module nothing is run; of the packages around it, what
    importing them runs.
    """
    found: dict[str, Digest] = {}
    for path in paths:
        try:
            spec = importlib.util.find_spec(path.rpartition(".")[0])
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: S112 (the user's package fails: the gate says in what)
            continue
        if spec is None or spec.origin is None or not Path(spec.origin).is_file():
            continue
        file = Path(spec.origin)
        files = file.parent.glob("*.py") if spec.submodule_search_locations else [file]
        found[path] = source_digest({one.name: one.read_bytes() for one in files})
    return found


def run_key(
    spec: PipelineSpec, window: tuple[Span, ...], holdout: tuple[Span, ...], code: Digest,
    environment: Digest, checks: Mapping[str, Digest] | None = None,
) -> Digest:  # fmt: skip
    """The identity of a run: two runs with one key are the same run.

    ``checks`` are ``own_checks`` of the spec: where there are none, they change nothing.
    """
    return digest_of(
        {
            **({"checks": dict(checks)} if checks else {}),
            "spec": spec_digest(spec),
            "window": [span.digest for span in window],
            "holdout": [span.digest for span in holdout],
            "code": code,
            "environment": environment,
            "seed": spec.train.seed,
        }
    )
