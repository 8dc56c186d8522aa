"""A person's promotion and rollback: checks first, one compare-and-set, then the alias."""

from __future__ import annotations

import threading

import pytest

from everfit.champion import overrule as module
from everfit.champion.overrule import append, overrule, this_person, told_reason
from everfit.champion.servable import check_columns
from everfit.contracts.errors import EverfitError, IntegrityError, Superseded, UserError
from everfit.engine.context import open_context
from everfit.steps.register.step import Register
from everfit.storage.ledger.records import PromotionRecord
from everfit.storage.mlflow import champion_alias, open_registry
from everfit.storage.mlflow.sqlite_versions import delete_version
from everfit.storage.store import blob_key
from tests.unit.register.small_run import SPEC, small_run


@pytest.fixture
def three(context):
    """v1 was champion, v2 is; v3 was superseded, and is a challenger."""
    Register().run(small_run(context, "first"), context)
    champion = context.ledger.versions("fares")[0].champion.model_copy(update={"sequence": 1})
    second = small_run(context, "second", champion=champion)
    third = small_run(context, "third", champion=champion)
    Register().run(second, context)
    assert Register().run(third, context).superseded
    return context


def journal(context):
    entries = context.ledger.history("fares")
    return [(e.sequence, e.version, e.kind) for e in entries]


BEFORE = [(1, 1, "promote"), (2, 2, "promote")]


def test_a_rollback_is_journalled_and_the_alias_follows(three) -> None:
    done = overrule("rollback", SPEC, 1, " too dear \n at night", "ada", three)
    assert (done.entry.version, done.before, done.changed) == (1, 2, True)
    assert journal(three) == [*BEFORE, (3, 1, "rollback")]
    assert three.ledger.champion("fares").reason == "too dear at night (ada)"
    assert champion_alias(three.settings, "fares") == 1


def test_an_override_takes_a_challenger_and_its_rerun_knows(three) -> None:
    overrule("override", SPEC, 3, "agreed with finance", "ada", three)
    assert journal(three) == [*BEFORE, (3, 3, "override")]
    assert champion_alias(three.settings, "fares") == 3
    pinned = three.ledger.versions("fares")[0].champion.model_copy(update={"sequence": 1})
    again = Register().run(small_run(three, "third", champion=pinned), three)
    assert (again.champion, again.superseded) == (3, False)
    assert len(journal(three)) == 3


def test_one_goes_back_only_to_what_was_champion(three) -> None:
    with pytest.raises(UserError, match=r"CHAMPION-NEVER fares v3: .* it never was; v2, v1 were"):
        overrule("rollback", SPEC, 3, "why", "", three)
    assert journal(three) == BEFORE


def test_what_is_champion_already_gets_its_alias_back_and_no_entry(three) -> None:
    with open_registry(three.settings, "fares") as registry:
        registry.set_alias("fares", 1)
    assert not overrule("override", SPEC, 2, "why", "", three).changed
    assert champion_alias(three.settings, "fares") == 2
    assert journal(three) == BEFORE


def test_a_version_that_could_not_serve_is_refused_before_anything_changes(three) -> None:
    model = three.ledger.versions("fares")[0].champion.model
    path = three.store.root / blob_key(model.digest)
    good = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(good[:-1] + b"x")
    with pytest.raises(IntegrityError, match="STORE-ALTERED"):
        overrule("rollback", SPEC, 1, "why", "", three)
    path.unlink()
    with pytest.raises(IntegrityError, match="STORE-MISSING"):
        overrule("rollback", SPEC, 1, "why", "", three)
    path.write_bytes(good)
    assert journal(three) == BEFORE
    assert champion_alias(three.settings, "fares") == 2
    assert overrule("rollback", SPEC, 1, "why", "", three).changed


def test_a_model_of_types_on_no_list_of_ours_is_not_loaded(context) -> None:
    import skops.io
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    hostile = skops.io.dumps(make_pipeline(FunctionTransformer(print), Ridge()))
    Register().run(small_run(context, "first", model=hostile), context)
    champion = context.ledger.versions("fares")[0].champion.model_copy(update={"sequence": 1})
    Register().run(small_run(context, "second", champion=champion), context)
    with pytest.raises(IntegrityError, match=r"MODEL-TYPES .*print"):
        overrule("rollback", SPEC, 1, "why", "", context)
    assert journal(context) == BEFORE


def test_a_version_deleted_in_mlflow_is_refused_before_the_journal_says_otherwise(three) -> None:
    with open_registry(three.settings, "fares") as registry, registry._transaction() as sql:
        delete_version(sql, "fares", 1, 0)
    with pytest.raises(IntegrityError, match="CHAMPION-GONE"):
        overrule("rollback", SPEC, 1, "why", "", three)
    assert journal(three) == BEFORE


def test_killed_between_journal_and_alias_the_same_command_finishes(three, monkeypatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(module, "project_alias", die)
        overrule("rollback", SPEC, 1, "why", "ada", three)
    assert journal(three) == [*BEFORE, (3, 1, "rollback")]
    assert champion_alias(three.settings, "fares") == 2
    assert not overrule("rollback", SPEC, 1, "why", "ada", three).changed
    assert champion_alias(three.settings, "fares") == 1
    assert len(journal(three)) == 3


@pytest.mark.parametrize("targets", [(1, 3), (1, 1)])
def test_of_two_racing_promotions_one_wins_and_the_other_is_told(
    three, monkeypatch, targets
) -> None:
    together = threading.Barrier(2)
    check = module.check_servable

    def check_then_meet(*arguments) -> None:
        check(*arguments)
        together.wait(30)  # by now both have read the same head

    monkeypatch.setattr(module, "check_servable", check_then_meet)
    ends: list[object] = []

    def one(number: int, who: str) -> None:
        with open_context(three.settings) as context:
            try:
                ends.append(overrule("override", SPEC, number, "mine", who, context).entry.reason)
            except EverfitError as error:
                ends.append(error)

    racers = [threading.Thread(target=one, args=(n, w)) for n, w in zip(targets, "ab", strict=True)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    (lost,) = [end for end in ends if isinstance(end, Exception)]
    (won,) = [end for end in ends if isinstance(end, str)]
    assert isinstance(lost, Superseded)
    assert "CHAMPION-SUPERSEDED" in lost.line
    entries = three.ledger.history("fares")
    assert [(e.sequence, e.reason) for e in entries[2:]] == [(3, won)]
    assert champion_alias(three.settings, "fares") == entries[-1].version


def test_what_was_decided_on_an_older_champion_is_not_done(three, monkeypatch) -> None:
    check = module.check_servable

    def check_while_another_decides(*arguments) -> None:
        monkeypatch.setattr(module, "check_servable", check)
        overrule("override", SPEC, 3, "theirs", "b", three)

    monkeypatch.setattr(module, "check_servable", check_while_another_decides)
    with pytest.raises(Superseded, match="it is v3 since"):
        overrule("rollback", SPEC, 1, "mine", "a", three)
    assert journal(three) == [*BEFORE, (3, 3, "override")]
    assert champion_alias(three.settings, "fares") == 3


def test_appending_twice_is_appending_once_but_another_reason_is_another_entry(context) -> None:
    key = "a" * 64
    wanted = PromotionRecord(sequence=1, version=1, run_key=key, kind="override", reason="mine")
    first = append(context.ledger, "fares", wanted)
    assert append(context.ledger, "fares", wanted) == first
    with pytest.raises(Superseded, match="it is v1 since"):
        append(context.ledger, "fares", wanted.model_copy(update={"reason": "theirs"}))
    with pytest.raises(Superseded, match="it is v1 since"):
        append(context.ledger, "fares", wanted.model_copy(update={"sequence": 3}))


@pytest.mark.parametrize("reason", ["", " \n\t", "x" * 501])
def test_no_reason_is_no_promotion(three, reason: str) -> None:
    with pytest.raises(UserError, match="CHAMPION-REASON"):
        overrule("override", SPEC, 1, reason, "", three)
    assert journal(three) == BEFORE


def test_who_decides_is_kept_beside_the_reason() -> None:
    assert told_reason("a  b", "grace") == "a b (grace)"
    assert told_reason("a", "") == f"a ({this_person()})"


def test_columns_that_are_gone_or_hold_text_now_are_named() -> None:
    trained = {"miles": "float", "zone": "string", "riders": "integer"}
    features = ("miles", "zone", "riders")
    check_columns("v1", features, trained, {**trained, "more": "float"}, "2018-04")
    check_columns("v1", features, trained, {**trained, "zone": "integer"}, "2018-04")
    check_columns("v1", features, trained, {}, "nothing known")
    now = {"zone": "string", "riders": "string"}
    with pytest.raises(UserError) as refused:
        check_columns("fares v1", features, trained, now, "2018-04")
    assert refused.value.line == (
        "CHAMPION-COLUMNS fares v1: every column its model reads must be in 2018-04; miles not "
        "there and riders holding text, not numbers. Choose a version that reads other columns, "
        "or correct the source."
    )


def test_two_people_who_go_back_to_one_version_are_both_on_record(three) -> None:
    overrule("rollback", SPEC, 1, "the seed is wrong", "ada", three)
    again = overrule("rollback", SPEC, 1, "finance asks for it", "bob", three)
    assert again.changed
    told = [(one.person, one.reason) for one in three.ledger.history("fares")[-2:]]
    assert told == [
        ("ada", "the seed is wrong (ada)"),
        ("bob", "finance asks for it (bob)"),
    ]
    assert champion_alias(three.settings, "fares") == 1
