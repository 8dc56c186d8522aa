"""Whoever can write to the store alone changes no decision; what is damaged there is made again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from everfit.contracts.base import canonical_json, digest_bytes
from everfit.contracts.messages.chain import training_tasks
from everfit.contracts.messages.requests import GateResult
from everfit.engine.pipeline import ChainRun
from everfit.storage.store import blob_key
from tests.world import World


@pytest.fixture
def judged(world: World) -> ChainRun:
    """A training that has come to its verdict, and whose ledger has forgotten the gate's record."""
    world.months(3, rows=300)
    return chain(world)


def chain(world: World, until: str = "gate") -> ChainRun:
    run = ChainRun(world.load(), world.context)
    for task in training_tasks(run.spec):
        run.perform(task)
        if task.component == until:
            break
    return run


def store_of(world: World) -> Path:
    return Path(world.context.settings.store.removeprefix("file://"))


def kept(world: World) -> list[Path]:
    return sorted(store_of(world).glob("results/*/*.json"))


def decision(run: ChainRun) -> GateResult:
    (digest,) = run.done["gate"]
    return GateResult.model_validate_json(run.context.store.get(digest))


def overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def test_a_verdict_written_into_the_store_is_no_verdict(world: World, judged: ChainRun, caplog):
    before = decision(judged)
    forged = before.model_copy(
        update={"verdict": "hold" if before.verdict == "promote" else "promote"}
    )
    (path,) = store_of(world).glob("results/gate/*.json")
    overwrite(path, canonical_json(forged))
    assert decision(chain(world)) == before
    assert any("is not what the ledger records" in message for message in caplog.messages)
    (aside,) = store_of(world).glob("aside/*/results/gate/*.json")
    assert aside.read_bytes() == canonical_json(forged)
    assert path.read_bytes() == canonical_json(before)


@pytest.mark.thorough
def test_a_result_that_nobody_computed_is_none(world: World):
    """As put there before the step was ever asked: the key can be foretold, the ledger not."""
    world.months(3, rows=300)
    run = chain(world, until="evaluate")
    (gate,) = [task for task in training_tasks(run.spec) if task.component == "gate"]
    outcome = run.perform(gate)
    real = world.context.store.get(outcome.result)
    forged = json.loads(real) | {"verdict": "promote", "because": "so I say"}
    fresh = World(world.context)  # the same world, whose ledger never saw this key
    where = store_of(fresh) / "results" / "gate" / f"{outcome.key}.json"
    overwrite(where, json.dumps(forged).encode())
    known = world.context.ledger.result
    world.context.ledger.result = (  # type: ignore[method-assign]
        lambda made, key: None if made == "gate" else known(made, key)
    )
    again = run.perform(gate)
    assert not again.cached
    assert json.loads(world.context.store.get(again.result))["because"] != "so I say"


DAMAGES = (
    lambda document: b"",
    lambda document: document[: len(document) // 2],
    lambda document: b'{"kind": "of another program"}',
    lambda document: b"\xff\xfe not JSON",
)


def test_every_damaged_result_is_set_aside_and_made_again(world: World, judged: ChainRun):
    before, paths = decision(judged), kept(world)
    for number, path in enumerate(paths):
        document, damage = path.read_bytes(), DAMAGES[number % len(DAMAGES)]
        overwrite(path, damage(document))
        # Nor are the bytes to be had that the ledger names.
        for blob in store_of(world).glob(f"blobs/*/{digest_bytes(document)}"):
            overwrite(blob, damage(document))
    assert decision(chain(world)).verdict == before.verdict
    aside = list(store_of(world).glob("aside/*/results/*/*.json"))
    assert {path.parent.name for path in aside} >= {
        "statistics", "targets", "validate", "prepare", "train", "evaluate", "gate",
    }  # fmt: skip
    for path in aside:
        again = store_of(world) / "results" / path.parent.name / path.name
        assert json.loads(again.read_text()) and again.read_bytes() != path.read_bytes()


def test_a_value_whose_bytes_are_altered_is_made_again(world: World, judged: ChainRun):
    """The pointer is sound, and what it points to is not."""
    before = decision(judged)
    for name in ("statistics", "targets"):
        for path in store_of(world).glob(f"results/{name}/*.json"):
            digest = json.loads(path.read_bytes())["digest"]
            overwrite(store_of(world) / blob_key(digest), b"{}")
    for step in ("validate", "prepare", "evaluate", "gate"):
        for path in store_of(world).glob(f"results/{step}/*.json"):
            overwrite(path, b"")
    assert decision(chain(world)).verdict == before.verdict
