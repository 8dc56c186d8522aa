"""What a result depends on besides its request: the code that makes it, and the environment.

``CODE`` is the one place that says which parts of the package count for what. A digest of code
covers the folders and modules named there and nothing else: what only shows (``report/`` folders,
``reporting``), what carries (``storage``, ``serving``, ``plugins``) and what people call (``cli``,
``operations``) is in none that leads to a model or a verdict. Nothing is parsed at run time;
``tests/unit/test_identity.py`` follows the imports of every step and fails where they leave what
its digest covers.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from everfit.contracts.base import IN_A_KEY, Digest, Frozen, digest_of
from everfit.contracts.messages.chain import CHAIN
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.steps import Component
from everfit.contracts.spec.pipeline import PipelineSpec

CAN_CHANGE_BITS = (
    "joblib",
    "lightgbm",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "skops",
    "threadpoolctl",
)
"""The distributions whose version can change a model's bits."""

KERNEL_VARIABLES = (
    "MKL_CBWR",
    "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
)
"""Variables that choose the kernels of numerical libraries: another kernel adds up otherwise."""

IN_NO_KEY: dict[str, Any] = {
    **dict.fromkeys(
        ("description", "owner", "tags", "triggers", "monitor", "score", "notify", "images"), True
    ),
    "gate": {"mode", "approval"},
    "target": {"unit"},
}
"""Fields of a spec that no model and no verdict depends on; of images, only the chain's count."""


PACKAGE = Path(__file__).parents[1]

SUFFIXES = (".j2", ".mako", ".py", ".typed")
"""Of the files that the package reads of itself; a test holds the list complete."""

Kept = Literal["run", "span_statistics", "target_profiles", "drift_report_page"]
Made = Component | Kept
"""What code makes: a step's result, a run's model and verdict, a value kept between runs."""


@dataclass(frozen=True)
class Code:
    """Parts of the package: paths below it without ``.py``; a folder counts with all that is in it.

    Attributes
    ----------
    parts : tuple of str
    without : tuple of str
        Parts of these parts that do not count.
    shows : bool
        Whether ``report/`` folders count too.
    """

    parts: tuple[str, ...]
    without: tuple[str, ...] = ()
    shows: bool = False

    def covers(self, path: str) -> bool:
        """Whether a source file counts, named by its path below the package: ``ml/x/y.py``."""
        below = f"{path.removesuffix('.py')}/"  # so that a folder and a module are found alike
        if "/report/" in below and not self.shows:
            return False
        return below.startswith(self._begins) and not below.startswith(self._but)

    @cached_property
    def _begins(self) -> tuple[str, ...]:
        return tuple(f"{part}/" for part in dict.fromkeys(self.parts))

    @cached_property
    def _but(self) -> tuple[str, ...]:
        return tuple(f"{part}/" for part in self.without)


_VALUES = (
    "contracts/base",
    "contracts/clock",
    "contracts/errors",
    "contracts/messages",
    "contracts/spec",
)
_ENGINE = ("engine/context", "engine/fingerprints", "engine/step", "engine/upstream")
_EVERY_STEP = (*_VALUES, *_ENGINE)
_SOURCES = ("contracts/aws_errors", "data/sources")
_CHAMPION = ("champion/current", "champion/seal", "champion/version/signing")
_DECAY = ("champion/decayed",)
_TARGETS = ("steps/validate/leaks", "steps/validate/target_profile")
_WORDS = ("contracts/visible", "contracts/wording")
"""How a number is written: in the sentences of a result, never in a decision."""

AROUND_A_RUN = (
    "contracts/messages/dossier",
    "contracts/messages/monitoring",
    "contracts/messages/monitoring_levels",
    "contracts/messages/people",
    "contracts/messages/scoring",
    "contracts/messages/trigger_facts",
    "contracts/spec/cron",
    "contracts/spec/monitor",
    "contracts/spec/notices",
    "contracts/spec/quiet_times",
    "contracts/spec/score",
    "contracts/spec/triggers",
)
"""What wakes a run, who hears of it and what is measured afterwards: the models of the spec's
fields that are ``IN_NO_KEY``, and messages that no step of a run computes a result with: by the
rule of a trigger ``champion/decayed`` finds what the ledger records, once for each run."""


def _of_a_run(*parts: str) -> Code:
    return Code((*_EVERY_STEP, *parts), AROUND_A_RUN)


def _beside_a_run(*parts: str) -> Code:
    return Code((*_EVERY_STEP, *_WORDS, *parts))


_STEPS: dict[Made, Code] = {
    "extract": _beside_a_run("steps/extract", "data/tables", *_SOURCES),
    "validate": _of_a_run("steps/validate", "data/tables", "ml/profiles", *_WORDS),
    "prepare": _of_a_run(
        "steps/prepare", "data/tables", "ml/model", "ml/scoring/resampling", *_CHAMPION
    ),
    "train": _of_a_run("steps/train", "data/tables", "ml/families", "ml/model", "ml/scoring"),
    "evaluate": _of_a_run(
        "steps/evaluate",
        "data/tables",
        "ml/holdout_budget",
        "ml/model",
        "ml/scoring",
        *_CHAMPION,
        *_DECAY,
    ),
    "gate": _of_a_run(
        "steps/gate",
        "data/tables",
        "ml/holdout_budget",
        "ml/model",
        "ml/scoring",
        *_CHAMPION,
        *_WORDS,
    ),
    "refit": _beside_a_run("steps/refit", "data/tables", "ml/families", "ml/model", "ml/scoring"),
    "plan": _beside_a_run(
        "steps/plan",
        "champion/agreement",
        "champion/promotion",
        "ml/holdout_budget",
        *_SOURCES,
        *_CHAMPION,
        *_DECAY,
    ),
    "register": _beside_a_run("steps/register", "champion"),
    "watch": _beside_a_run(
        "steps/watch", "ml/fleet_level", "ml/monitoring_key", *_SOURCES, *_CHAMPION
    ),
    "monitor": _beside_a_run(
        "steps/monitor",
        "champion/version/signing",
        "data/tables",
        "ml/model",
        "ml/monitoring_key",
        "ml/profiles",
        "ml/scoring",
    ),
    "fall_back": _beside_a_run("steps/fall_back", "champion", "data/tables", "ml/model"),
    "drift_report": _beside_a_run("steps/drift_report"),
    "score": _beside_a_run(
        "steps/score",
        "champion",
        "data/tables",
        "engine/own_images",
        "engine/reading",
        "ml/model",
        "ml/profiles",
        *_SOURCES,
    ),
    "promote": _beside_a_run("steps/promote", "champion", "data/tables", "ml/model"),
    "reconcile": _beside_a_run("steps/reconcile", "champion", "data/tables", "ml/model"),
}

OF_A_RUN: tuple[Component, ...] = ("extract", "validate", "prepare", "train", "evaluate", "gate")
"""The steps whose code decides what a run's model and verdict are. Plan's choice is in the run key
as the spans' digests; what register does comes after the verdict."""

CODE: dict[Made, Code] = {
    **_STEPS,
    "run": Code(
        tuple(part for step in OF_A_RUN for part in _STEPS[step].parts),
        without=(*AROUND_A_RUN, *_WORDS),
    ),
    "span_statistics": Code(
        (
            "contracts/base",
            "contracts/errors",
            "contracts/messages/statistics",
            "contracts/spec/table_schema",
            "data/tables/frames",
            "data/tables/row_digests",
            "ml/profiles",
        )
    ),
    "target_profiles": Code(
        (*_VALUES, *_TARGETS, "data/tables", "ml/profiles"), without=AROUND_A_RUN
    ),
    "drift_report_page": Code(
        (*_EVERY_STEP, *_WORDS, "steps/drift_report", "data/tables", "ml/profiles", "reporting"),
        shows=True,
    ),
}
"""What is made → the code that makes it; the monitoring's kept answers are made by ``monitor``."""


@cache
def code_digest(made: Made) -> Digest:
    """sha-256 of the code that something is made by, as it lies in this process's package."""
    return digest_of_code(made, _own_sources())


def digest_of_code(made: Made, sources: Mapping[str, bytes]) -> Digest:
    """The same of other sources.

    Parameters
    ----------
    made : str
        A key of ``CODE``.
    sources : mapping
        Path below the package → sha-256 of the file, as ``source_hashes`` gives them.
    """
    code = CODE[made]
    return _total({path: found for path, found in sources.items() if code.covers(path)})


@cache
def package_digest() -> Digest:
    """sha-256 of all source files of the package: what an image holds, and what a dossier keeps."""
    return _total(_own_sources())


def source_digest(files: Mapping[str, bytes]) -> Digest:
    """What ``package_digest`` is of other files: path below the package → source."""
    return _total(hashes_of(files))


def hashes_of(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Path of each file → sha-256 of what it holds."""
    return {name: hashlib.sha256(data).digest() for name, data in files.items()}


def source_hashes(root: Path) -> dict[str, bytes]:
    """Path of each source file below a folder → its sha-256."""
    found: dict[str, bytes] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(f"{root}/{folder}") as entries:  # a tenth of what pathlib takes
            for entry in entries:
                name = folder + entry.name
                if entry.is_dir():
                    if entry.name != "__pycache__":
                        folders.append(f"{name}/")
                elif name.endswith(SUFFIXES):
                    with open(entry.path, "rb", buffering=0) as file:  # noqa: PTH123
                        found[name] = hashlib.sha256(file.read()).digest()
    return found


@cache
def _own_sources() -> dict[str, bytes]:
    return source_hashes(PACKAGE)


def _total(hashes: Mapping[str, bytes]) -> Digest:
    total = hashlib.sha256()
    for name in sorted(hashes, key=lambda name: name.split("/")):
        total.update(name.encode() + b"\0")
        total.update(hashes[name])
    return total.hexdigest()


def content_key(component: Component, request: Frozen, image: str | None = None) -> Digest:
    """What a step's result is published and found under.

    What the request holds only to be shown does not count (``OnlyShown``): how the pictures of an
    evaluation look changes no verdict.

    Parameters
    ----------
    image : str, optional
        The pipeline's own, where it names one: another image is another program, though it may hold
        the same code of ours.
    """
    return digest_of(
        {
            **({"image": image} if image else {}),
            "component": component,
            "code": code_digest(component),
            "environment": environment_digest(),
            "request": request.model_dump(mode="json", context=IN_A_KEY),
        }
    )


def value_digest(made: Made) -> Digest:
    """What a value kept between runs depends on: its code, and what reads and computes tables."""
    versions = {name: environment()[name] for name in ("numpy", "pandas", "pyarrow")}
    return digest_of({"code": code_digest(made), **versions})


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


def refit_key(run_key: Digest) -> Digest:
    """The identity of a run's refit, which is a run of its own: same spec and spans, same code."""
    return digest_of({"refit_of": run_key})


def run_key(
    spec: PipelineSpec,
    window: tuple[Span, ...],
    holdout: tuple[Span, ...],
    code: Digest,
    environment: Digest,
    checks: Mapping[str, Digest] | None = None,
) -> Digest:
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
