"""Ledger, store and registry are of one deployment: a lost one is refused, never taken over."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from everfit.champion.agreement import bring_up_to_date
from everfit.champion.overrule import append
from everfit.cli import main
from everfit.contracts.errors import IntegrityError
from everfit.contracts.settings import Settings
from everfit.engine.context import Context, open_context
from everfit.steps.register.step import Register
from everfit.storage.deployment import MARK, claim
from everfit.storage.mlflow import champion_alias, open_registry
from tests.unit.register.small_run import small_run

WAYS_OUT = ("everfit restore", "everfit reconcile", "--rebuild", "EVERFIT_LEDGER")


@pytest.fixture
def served(settings: Settings) -> Settings:
    """A deployment whose pipeline has a champion."""
    with open_context(settings) as context:
        claim(context.ledger, context.store)
        register(context)
    return settings


def register(context: Context, name: str = "first", **more) -> int | None:
    return Register().run(small_run(context, name, **more), context).version


def ledger_file(settings: Settings) -> Path:
    return Path(settings.ledger.removeprefix("sqlite:///"))


def refused(settings: Settings) -> str:
    with pytest.raises(IntegrityError, match=r"^DEPLOYMENT ") as caught, open_context(settings):
        pass
    assert caught.value.exit_code == 2
    for way in WAYS_OUT:
        assert way in caught.value.line
    return caught.value.line


def emptied(settings: Settings) -> Settings:
    ledger_file(settings).write_bytes(b"")
    return settings


def deleted(settings: Settings) -> Settings:
    for path in settings.home.glob("ledger.db*"):
        path.unlink()
    return settings


def elsewhere(settings: Settings) -> Settings:
    return settings.model_copy(update={"ledger": f"sqlite:///{settings.home}/another.db"})


@pytest.mark.parametrize("lose", [emptied, deleted, elsewhere])
def test_a_lost_ledger_is_refused(served: Settings, lose: Callable[[Settings], Settings]):
    for path in served.home.glob("ledger.db-*"):
        path.unlink()
    assert "the ledger is new, or was emptied" in refused(lose(served))
    assert champion_alias(served, "fares") == 1


def test_every_command_refuses_a_lost_ledger(served: Settings, monkeypatch, capsys):
    monkeypatch.setenv("EVERFIT_ROOT", str(served.root))
    monkeypatch.setenv("EVERFIT_LEDGER", f"sqlite:///{served.home}/another.db")
    assert main(["champion", "fares"]) == 2
    assert capsys.readouterr().err.startswith("DEPLOYMENT ")


def test_the_ledger_of_another_deployment_is_refused(served: Settings, tmp_path: Path):
    other = served.model_copy(
        update={"ledger": f"sqlite:///{tmp_path}/b.db", "store": (tmp_path / "b").as_uri()}
    )
    with open_context(other) as context:
        claim(context.ledger, context.store)
    line = refused(served.model_copy(update={"ledger": other.ledger}))
    assert "the ledger is of deployment" in line


def test_a_lost_store_is_refused_but_for_saying_what_is_missing(served: Settings, tmp_path: Path):
    lost = served.model_copy(update={"store": (tmp_path / "new").as_uri()})
    assert "has records, and the store has none" in refused(lost)
    with open_context(lost, may_be_lost=True) as context:
        assert context.ledger.versions("fares")


def test_a_new_deployment_and_one_killed_at_its_start_are_welcome(settings: Settings):
    with open_context(settings) as context:
        context.ledger.claim_deployment()  # and killed before the store was marked
    with open_context(settings) as context:
        claim(context.ledger, context.store)
        assert context.store.exists(MARK)
    with open_context(settings):
        pass


def fresh(settings: Settings, tmp_path: Path) -> Settings:
    """The same registry, with a ledger and a store that know nothing."""
    return settings.model_copy(
        update={"ledger": f"sqlite:///{tmp_path}/n.db", "store": (tmp_path / "n").as_uri()}
    )


def test_a_registry_that_knows_more_is_not_taken_over(served: Settings, tmp_path: Path):
    with open_context(fresh(served, tmp_path)) as context:
        with pytest.raises(IntegrityError, match=r"^DEPLOYMENT .*it has v1, which the ledger"):
            bring_up_to_date("fares", context)
        with pytest.raises(IntegrityError, match="DEPLOYMENT"):
            register(context, "second")
        assert not context.ledger.versions("fares")
        assert context.ledger.champion("fares") is None
    assert champion_alias(served, "fares") == 1


def test_the_same_run_registered_by_another_deployment_is_told(served: Settings, tmp_path: Path):
    """A run key is a function of what is trained: it alone does not say whose it is."""
    with open_context(fresh(served, tmp_path)) as context:
        claim(context.ledger, context.store)
        request = small_run(context)
        context.ledger.intend_registration("fares", request.run_key)
        with pytest.raises(IntegrityError, match="it is of deployment"):
            bring_up_to_date("fares", context)


def test_a_version_made_by_hand_is_not_overtaken(settings: Settings):
    with open_context(settings) as context:
        register(context)
        with sqlite3.connect(settings.home / "mlflow.db") as database:
            database.execute("DELETE FROM model_version_tags WHERE key = 'everfit.run_key'")
        with pytest.raises(IntegrityError, match="v1, which the ledger does not know"):
            bring_up_to_date("fares", context)
        with open_registry(settings, "fares") as registry:
            assert [one.run_key for one in registry.versions("fares")] == [None]


def test_a_registry_that_lost_all_is_refused(served: Settings):
    (served.home / "mlflow.db").unlink()
    with (
        open_context(served) as context,
        pytest.raises(IntegrityError, match="none of the 1 version that the ledger records"),
    ):
        bring_up_to_date("fares", context)


def test_an_older_copy_of_the_ledger_is_refused(served: Settings, tmp_path: Path):
    with open_context(served) as context:
        head = context.ledger.champion("fares")
        assert head is not None
    shutil.copy(ledger_file(served), tmp_path / "older.db")
    with open_context(served) as context:
        append(
            context.ledger,
            "fares",
            head.model_copy(update={"sequence": 2, "kind": "override", "at": "", "reason": "x"}),
        )
        with open_registry(served, "fares") as registry:
            registry.tag_version("fares", 1, {"everfit.promotion": "2"})
    older = served.model_copy(update={"ledger": f"sqlite:///{tmp_path}/older.db"})
    with (
        open_context(older) as context,
        pytest.raises(IntegrityError, match="promotions of v1 that the ledger's journal"),
    ):
        bring_up_to_date("fares", context)


@pytest.fixture
def behind(served: Settings) -> Settings:
    """Killed between the journal and the alias."""
    with open_context(served) as context:
        head = context.ledger.champion("fares")
        register(context, "second", champion=context.ledger.version(head.run_key).champion)
        with open_registry(served, "fares") as registry:
            registry.set_alias("fares", None)
    return served


def test_the_alias_is_brought_up_to_date(behind: Settings):
    with open_context(behind) as context:
        bring_up_to_date("fares", context)
        head = context.ledger.champion("fares")
    assert champion_alias(behind, "fares") == head.version


def test_asking_who_is_champion_brings_it_up_to_date(behind: Settings, monkeypatch, capsys):
    monkeypatch.setenv("EVERFIT_ROOT", str(behind.root))
    assert main(["champion", "fares"]) == 0
    with open_context(behind) as context:
        head = context.ledger.champion("fares")
    assert f"fares v{head.version}" in capsys.readouterr().out
    assert champion_alias(behind, "fares") == head.version


def test_only_looking_makes_no_registry(settings: Settings):
    with open_context(settings) as context:
        bring_up_to_date("fares", context)
    assert not (settings.home / "mlflow.db").exists()
