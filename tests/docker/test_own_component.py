"""Images of a pipeline's own: a shell script in place of ``prepare``, and a library more."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from everfit.contracts.messages.chain import training_tasks
from everfit.contracts.messages.requests import PrepareResult
from everfit.contracts.messages.steps import Component, Order, Outcome, Trigger
from everfit.contracts.runners import RunnerSettings
from everfit.contracts.settings import Settings
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit_airflow.runners import Ending, Task
from everfit_airflow.runners.choice import choose
from tests.docker.conftest import BASE
from tests.docker.images import name_of

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = REPOSITORY / ".venv" / "bin" / "python"
PYTHON_BASE = os.environ.get("EVERFIT_TEST_PYTHON", "python:3.11-slim-bookworm")
SPEC: dict[str, Any] = {
    "name": "fares",
    "task": "regression",
    "target": "fare_amount",
    "time": "pickup_datetime",
    "source": {"uri": "{data}/nyc_yellow/*.csv", "period": "%Y-%m"},
    "features": {
        "drop": [
            "total_amount",
            "tip_amount",
            "tolls_amount",
            "extra",
            "mta_tax",
            "payment_type",
            "improvement_surcharge",
            "congestion_surcharge",
            "pickup_datetime",
        ],
        "derive": {"fast": "trip_distance > 5"},
    },
    "train": {"families": ["linear"], "trials": 1, "folds": 2},
    "gate": {"metric": "mae", "superior_by": "1%", "baseline": "median"},
}


def family_of(spec: dict[str, Any]) -> str:
    """The one family of a spec."""
    (family,) = spec["train"]["families"]
    return family if isinstance(family, str) else str(family["name"])


@pytest.fixture(scope="session")
def sql_image(engine: Any) -> str:
    """The id of the example's image."""
    image, _ = engine.images.build(
        path=str(REPOSITORY / "examples" / "prepare_in_sql"),
        tag="everfit-test-prepare:1",
        rm=True,
        buildargs={"PYTHON_IMAGE": PYTHON_BASE, "DEBIAN_IMAGE": BASE},
    )
    return str(image.id)


@pytest.fixture
def shared() -> Iterator[None]:
    """Files that a container's user, who is of no group of ours, may write beside."""
    before = os.umask(0)
    yield
    os.umask(before)


@dataclass
class Chain:
    """A pipeline whose components run each where the settings say."""

    root: Path
    run_id: str
    spec: dict[str, Any]
    runners: dict[str, Any]
    lines: list[str] = field(default_factory=list)
    done: dict[Component, tuple[str, ...]] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        return self.root / ".everfit" / "store"

    def months(self, count: int) -> None:
        """Have so many months of invented trips there."""
        subprocess.run(
            [PYTHON.with_name("everfit"), "example", "--months", str(count), "--rows", "400"],
            check=True,
            env={"PATH": os.environ["PATH"], "EVERFIT_ROOT": str(self.root)},
        )

    @property
    def reads(self) -> dict[Component, tuple[Component, ...]]:
        """Component of its training → those whose results it reads, in their order."""
        spec = PipelineSpec.model_validate(self.spec)
        return {task.component: task.upstream for task in training_tasks(spec)}

    def order(self, component: Component) -> Order:
        return Order(
            component=component,
            pipeline=PipelineSpec.model_validate(self.spec),
            upstream={name: self.done[name] for name in self.reads[component]},
            family=family_of(self.spec) if component == "train" else None,
            trigger=Trigger(reason="test"),
        )

    def perform(self, component: Component, order: bytes | None = None) -> Ending:
        """As the operator has it done."""
        here = Settings.from_environment({"EVERFIT_ROOT": str(self.root)})
        environ = {
            "PATH": os.environ["PATH"],
            "EVERFIT_STORE": self.store.as_uri(),
            "EVERFIT_DATA": str(self.root / "data"),
            "EVERFIT_PYTHON": str(PYTHON),
        }
        settings = RunnerSettings.model_validate(self.runners)
        task = Task("fares", self.run_id, component, -1, "fares", component)
        chosen = choose(
            settings, PipelineSpec.model_validate(self.spec), component, task, here, environ
        )
        document = order or self.order(component).model_dump_json().encode()
        return chosen.runner.run(
            document, chosen.environment, {}, self.lines.append, lambda _: None
        )

    def run(self) -> dict[Component, Outcome]:
        outcomes: dict[Component, Outcome] = {}
        for component in self.reads:
            ending = self.perform(component)
            assert ending.code == 0, (component, self.lines[-5:])
            outcomes[component] = Outcome.model_validate_json(ending.outcome or b"")
            assert outcomes[component].component == component
            self.done[component] = (outcomes[component].result,)
        return outcomes

    def blob(self, digest: str) -> bytes:
        return (self.store / "blobs" / digest[:2] / digest).read_bytes()

    def prepared(self, outcome: Outcome) -> PrepareResult:
        return PrepareResult.model_validate_json(self.blob(outcome.result))


def in_containers(*folders: Path) -> dict[str, Any]:
    """Settings of a component in a container that writes to some folders."""
    return {
        "runner": "docker",
        "pull": "never",
        "memory": "1Gi",
        "disk": "256Mi",
        "mounts": [{"source": str(f), "target": str(f), "read_only": False} for f in folders],
    }


@pytest.fixture
def checkout(tmp_path: Path, shared: None) -> Path:
    (tmp_path / "dags" / "pipelines").mkdir(parents=True)
    (tmp_path / ".everfit" / "store").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    # SQLite lets only its maker write to a file it makes, and what it makes beside it is alike.
    ledger = tmp_path / ".everfit" / "ledger.db"
    ledger.touch()
    ledger.chmod(0o666)
    return tmp_path


@pytest.fixture
def chain(checkout: Path, run_id: str, sql_image: str) -> Chain:
    """All components as processes, but ``prepare`` in its image."""
    runners = {
        "components": {"prepare": in_containers(checkout / ".everfit" / "store")},
        "allow_images": ["sha256:*"],
    }
    return Chain(checkout, run_id, {**SPEC, "images": {"prepare": sql_image}}, runners)


def test_the_steps_after_it_accept_what_it_made(chain: Chain) -> None:
    chain.months(3)
    first = chain.run()
    assert first["gate"].summary.verdict == "promote"
    assert first["register"].summary.champion == 1
    made = chain.prepared(first["prepare"])
    assert made.run_key == json.loads(chain.blob(first["validate"].result))["run_key"]
    assert first["prepare"].cached is False

    # Asked again it finds what it made; asked for another month it holds the champion's rows too.
    again = Outcome.model_validate_json(chain.perform("prepare").outcome or b"")
    assert (again.cached, again.result, again.key) == (
        True,
        first["prepare"].result,
        first["prepare"].key,
    )
    chain.months(4)
    second = chain.run()
    assert second["prepare"].key != first["prepare"].key
    assert second["gate"].summary.verdict in ("promote", "hold", "reject")
    checks = json.loads(chain.blob(second["gate"].result))["checks"]
    lineage = {one["code"]: one["state"] for one in checks if one["code"].startswith("LINEAGE")}
    assert set(lineage.values()) <= {"passed", "not_applicable"}
    assert lineage

    # Everfit's own prepare keeps the same rows and gives each column the same part.
    theirs = chain.prepared(second["prepare"])
    chain.spec, chain.runners = SPEC, {}
    ours = chain.prepared(Outcome.model_validate_json(chain.perform("prepare").outcome or b""))
    assert (ours.rows_train, ours.rows_holdout) == (theirs.rows_train, theirs.rows_holdout)
    assert ours.columns == theirs.columns
    assert ours.train.digest != theirs.train.digest


def test_equal_requests_give_equal_bytes_and_a_result_is_published_once(chain: Chain) -> None:
    chain.months(3)
    for component in ("plan", "extract", "validate"):
        chain.done[component] = (
            Outcome.model_validate_json(chain.perform(component).outcome or b"").result,
        )
    first = Outcome.model_validate_json(chain.perform("prepare").outcome or b"")
    document = chain.blob(first.result)
    published = chain.store / "results" / "prepare" / f"{first.key}.json"
    assert published.read_bytes() == document
    assert (
        document
        == json.dumps(
            json.loads(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()
        + b"\n"
    )  # canonical
    published.unlink()
    for artifact in (chain.prepared(first).train, chain.prepared(first).holdout):
        path = chain.store / "blobs" / artifact.digest[:2] / artifact.digest
        path.unlink()
    again = Outcome.model_validate_json(chain.perform("prepare").outcome or b"")
    assert (again.cached, again.result) == (False, first.result)
    assert list((chain.store / ".staging").iterdir()) == []


def test_what_it_cannot_do_is_one_line_and_is_not_tried_again(chain: Chain) -> None:
    chain.months(3)
    for component in ("plan", "extract", "validate"):
        chain.done[component] = (
            Outcome.model_validate_json(chain.perform(component).outcome or b"").result,
        )
    spec = {**chain.spec, "task": "binary", "gate": {"superior_by": "1%", "baseline": "prior"}}
    order = json.loads(chain.order("prepare").model_dump_json())
    order["pipeline"] = json.loads(PipelineSpec.model_validate(spec).model_dump_json())
    ending = chain.perform("prepare", json.dumps(order).encode())
    assert (ending.code, ending.outcome) == (2, None)
    assert ending.last_line.startswith("PREPARE-SQL fares: this component prepares regressions")
    (span,) = json.loads(chain.blob(chain.done["validate"][0]))["holdout"]
    path = chain.store / "blobs" / span["digest"][:2] / span["digest"]
    path.chmod(0o644)
    path.write_bytes(b"rotten")
    ending = chain.perform("prepare")
    assert (ending.code, ending.outcome) == (2, None)
    assert ending.last_line.startswith(f"STORE-ALTERED blob {span['digest']}")
    assert not (chain.store / "results" / "prepare").exists()


@pytest.mark.thorough
def test_a_library_of_one_s_own_goes_on_top_of_everfit_s_image(
    engine: Any, checkout: Path, run_id: str
) -> None:
    image, _ = engine.images.build(
        path=str(REPOSITORY / "examples" / "own_library"),
        tag="everfit-test-library:1",
        rm=True,
        buildargs={"COMPONENTS_IMAGE": name_of("components")},
    )
    home = checkout / ".everfit"
    named: tuple[Component, ...] = ("train", "evaluate", "gate")  # where the model is loaded
    spec = {
        **SPEC,
        "images": dict.fromkeys(named, image.id),
        "train": {
            "families": [{"name": "capped", "estimator": "own_models.CappedRidge"}],
            "trials": 1,
            "folds": 2,
        },
    }
    place = {**in_containers(home), "environment": {"EVERFIT_HOME": str(home)}}
    runners = {"components": dict.fromkeys(named, place), "allow_images": ["sha256:*"]}
    chain = Chain(checkout, run_id, spec, runners)
    chain.months(3)
    outcomes = chain.run()
    assert outcomes["train"].summary.family == "capped"
    assert outcomes["gate"].summary.verdict == "promote", outcomes["gate"].summary
    assert outcomes["register"].summary.champion == 1
    # The same image without the library is another run, and says what it lacks.
    plain = engine.images.get(name_of("components")).id
    chain.spec = {**spec, "images": dict.fromkeys(named, plain)}
    ending = chain.perform("train")
    assert ending.code == 2
    assert "own_models" in ending.last_line
