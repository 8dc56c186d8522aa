"""A person's wish, killed at every SQL statement and file that it writes, and asked once more."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest

from everfit.champion.repair.reconcile import reconcile
from everfit.contracts.messages.people import PersonRequest
from everfit.contracts.messages.steps import Order
from everfit.engine.context import open_context
from everfit.engine.execute import perform
from everfit.operations.chaos.acts import in_child
from everfit.steps.register.step import Register
from everfit.storage.mlflow import champion_alias
from tests.unit.register.small_run import SPEC, small_run

ASKS = SPEC.model_copy(update={"gate": SPEC.gate.model_copy(update={"approval": "required"})})

ACTS = ("sql", "open", "os.")

WISHES = {
    "rollback": (1, [(1, "promote"), (2, "promote"), (1, "rollback")]),
    "approve": (3, [(1, "promote"), (2, "promote"), (3, "promote")]),
    "refuse": (3, [(1, "promote"), (2, "promote")]),
    "promote": (3, [(1, "promote"), (2, "promote"), (3, "override")]),
}
"""What is asked, of which version, and the journal it ends in."""


@pytest.fixture(scope="module")
def lived(tmp_path_factory) -> Path:
    """A checkout in which v1 was champion, v2 is, and v3 waits for a person."""
    root = tmp_path_factory.mktemp("lived")
    (root / "dags" / "pipelines").mkdir(parents=True)
    with open_context(settings_in(root)) as context:
        Register().run(small_run(context, "first"), context)
        first = context.ledger.versions("fares")[0].champion.model_copy(update={"sequence": 1})
        Register().run(small_run(context, "second", champion=first), context)
        second = context.ledger.versions("fares")[1].champion.model_copy(update={"sequence": 2})
        third = small_run(context, "third", champion=second)
        Register().run(third.model_copy(update={"spec": ASKS}), context)
    return root


def settings_in(root: Path):
    from everfit.contracts.settings import Settings

    return Settings.from_environment({"EVERFIT_ROOT": str(root)})


@pytest.mark.parametrize("what", WISHES)
def test_killed_before_any_act_the_same_wish_finishes_and_nothing_is_doubled(
    lived: Path, tmp_path: Path, what: str
) -> None:
    version, journal = WISHES[what]
    order = Order(
        component="promote",
        pipeline=ASKS,
        requested=PersonRequest(what=what, version=version, reason="why", person="ada"),
    )

    def wish(root: Path) -> object:
        with open_context(settings_in(root)) as context:
            return perform(order, context)

    imported = tmp_path / "imported"
    shutil.copytree(lived, imported)
    wish(imported)  # what Python compiles on the way is no act of ours
    for act in itertools.count(1):
        root = tmp_path / str(act)
        shutil.copytree(lived, root)
        ended = in_child(lambda root=root: wish(root), root, at=act, only=ACTS)
        with open_context(settings_in(root)) as context:
            before = [(e.version, e.kind) for e in context.ledger.history("fares")]
            assert before in (journal, journal[:2])
        wish(root)
        with open_context(settings_in(root)) as context:
            assert [(e.version, e.kind) for e in context.ledger.history("fares")] == journal
            assert champion_alias(context.settings, "fares") == journal[-1][0]
            assert [r.version for r in context.ledger.versions("fares")] == [1, 2, 3]
            assert reconcile("fares", context).repaired == ()
        shutil.rmtree(root)
        if not ended.killed:  # it came to its end before this act: every one was tried
            assert ended.code == 0, ended.said
            assert act > 5
            break
