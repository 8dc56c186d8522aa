"""What is needed stays and what nothing needs goes, in worlds that have lived any way they like."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everfit.contracts.base import digest_bytes
from everfit.contracts.errors import IntegrityError, UserError
from everfit.engine.progress import LogProgress
from everfit.operations.retention.sweep import sweep
from everfit.storage.store import blob_key, open_store
from tests.unit.retention.small_world import SmallWorld, small_world

PIPELINES = ("fares", "tips")

STEPS = st.tuples(
    st.sampled_from(["arrive", "promote", "reject", "hold", "monitor", "rollback", "rerun"]),
    st.sampled_from(PIPELINES),
    st.integers(0, 3),
    st.floats(0, 40),
)


def live(world: SmallWorld, steps: list[tuple[str, str, int, float]]) -> None:
    for what, pipeline, number, days in steps:
        world.day += days
        runs = world.runs.get(pipeline, [])
        versions = [made for made in runs if made.version is not None]
        if what == "arrive":
            world.arrive(pipeline, f"span {number}")
        elif what in ("promote", "reject", "hold"):
            world.train(pipeline, what)
        elif what == "monitor":
            world.monitor(pipeline)
        elif what == "rollback" and versions:
            world.promote(pipeline, versions[number % len(versions)])
        elif what == "rerun" and runs:
            world.rerun(runs[number % len(runs)])


def test_the_typical_case():
    """Two versions, a rejected run, pages of the former champion: after 100 days three go."""
    with small_world() as world:
        world.arrive("fares", "january")
        first = world.train("fares", "promote")
        world.monitor("fares")
        rejected = world.train("fares", "reject")
        world.arrive("fares", "january")
        second = world.train("fares", "promote")
        world.monitor("fares")
        world.day = 100
        found, _, _ = world.surveyed(90)
        kinds = {one.kind for one in found.condemned}
        assert {"models", "training and holdout tables", "Evidently's pages"} <= kinds
        assert world.pruned(90).spared == 0
        there = world.blobs()
        assert first.blobs | second.blobs <= there
        assert not there & (rejected.blobs - first.blobs - second.blobs)
        assert world.measured[0][3] in there  # a rollback would read it
        assert not there & world.measured[0][4]
        assert world.measured[1][4] <= there
        assert world.pruned(90).removed == 0


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(STEPS, max_size=25),
    st.sampled_from([1.0, 30.0, 90.0]),
    st.floats(0, 200),
    st.none() | st.sampled_from(PIPELINES),
    st.integers(0, 30),
)
def test_all_that_is_needed_stays_and_the_rest_goes(steps, days, later, only, cut):
    with small_world() as world:
        live(world, steps)
        world.day += later
        since = world.now() - timedelta(days=days)
        needed, before = world.needed(since), world.blobs()
        assert needed <= before
        listed = {one.digest for one in world.surveyed(days)[0].condemned} - {None}
        assert listed == before - needed  # the dry run tells the truth
        interrupted(world, days, only, cut)
        assert needed <= world.blobs()
        assert world.dangling() == []
        world.pruned(days, only)
        assert needed <= world.blobs()
        assert world.dangling() == []
        for pipeline in PIPELINES:  # the history answers
            for record in world.ledger.versions(pipeline):
                assert record.dossier in world.blobs()
        world.pruned(days)  # of all, and of nobody
        assert world.blobs() == needed
        assert world.dangling() == []
        removed = {r.digest for p in ("", *PIPELINES) for r in world.ledger.removals(p)}
        assert removed == before - needed
        assert world.pruned(days).removed == 0


def interrupted(world: SmallWorld, days: float, only: str | None, cut: int) -> None:
    """A prune that is killed before its so-manieth removal."""
    real = world.store.remove
    left = [cut]

    class Killed(BaseException):
        pass

    def remove(key: str, before: float | None = None) -> bool:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return real(key, before)

    world.store.remove = remove  # type: ignore[method-assign]
    try:
        world.pruned(days, only)
    except Killed:
        pass
    finally:
        del world.store.remove


def test_of_one_pipeline_nothing_of_another_goes():
    with small_world() as world:
        for name in PIPELINES:
            world.arrive(name, "january")
            world.train(name, "reject")
        world.day = 100
        tips = world.runs["tips"][0].blobs
        world.pruned(90, "fares")
        assert tips <= world.blobs()
        assert not world.blobs() & world.runs["fares"][0].blobs - set(world.newest.values())
        assert {r.digest for r in world.ledger.removals("tips")} == set()
        world.pruned(90, "tips")
        assert world.blobs() == set(world.newest.values())


def test_an_unfinished_registration_is_needed_whatever_its_age():
    with small_world() as world:
        made = world.train("fares", "hold")
        world.ledger.intend_registration("fares", made.key)
        world.day = 1000
        world.pruned(1)
        assert made.blobs <= world.blobs()
        assert all(world.store.exists(key) for key in made.results)


def test_a_result_that_was_used_again_keeps_all_that_it_names():
    with small_world() as world:
        made = world.train("fares", "reject")
        world.day = 80
        world.rerun(made)
        world.day = 100
        assert world.pruned(90).removed == 0
        world.day = 200
        assert world.pruned(90).removed > 0
        assert not made.blobs & world.blobs()


@pytest.mark.parametrize("damage", ["lost", "altered"])
@pytest.mark.parametrize("which", ["dossier", "decision"])
def test_where_a_needed_document_cannot_be_read_nothing_is_removed(damage, which):
    with small_world() as world:
        made = world.train("fares", "promote")
        world.train("fares", "reject")
        world.day = 100
        verdict = world.ledger.verdict(made.key)
        record = world.ledger.version(made.key)
        digest = record.dossier if which == "dossier" else verdict.decision
        del world.store._data[blob_key(digest)]
        if damage == "altered":
            world.store._data[blob_key(digest)] = b'{"names": "something else"}'
        before = world.blobs()
        with pytest.raises(IntegrityError, match="PRUNE-DAMAGED") as caught:
            world.pruned(90)
        assert "nothing is removed" in caught.value.line
        assert world.blobs() == before


@pytest.mark.parametrize("what", ["empty", "another"])
def test_a_store_of_another_ledger_is_not_touched(what):
    """With a wrong EVERFIT_LEDGER everything would look unneeded."""
    with small_world() as world, small_world() as stranger:
        world.train("fares", "promote")
        stranger.store = world.store
        if what == "another":
            stranger.train("tips", "promote")
        stranger.day = world.day = 100
        before = world.blobs()
        with pytest.raises(UserError, match="PRUNE-LEDGER"):
            stranger.pruned(90)
        assert world.blobs() == before


def test_what_is_used_again_between_mark_and_sweep_is_spared():
    """A rerun begins when the survey is done: what it found in the cache stays there."""
    with small_world() as world:
        made, other = world.train("fares", "reject"), world.train("fares", "reject")
        world.day = 100
        found, reach, census = world.surveyed(90)
        world.rerun(made)
        since = world.now() - timedelta(days=90)
        done = sweep(found, reach, census, world.ledger, since, "test", LogProgress())
        assert made.blobs <= world.blobs()
        assert all(world.store.exists(key) for key in made.results)
        assert not other.blobs & world.blobs()
        assert done.spared >= len(made.blobs)
        assert world.dangling() == []


def test_a_version_made_by_hand_between_mark_and_sweep_is_spared():
    """Its new dossier names what was condemned; nothing of that was put or read again."""
    with small_world() as world:
        made = world.train("fares", "hold")
        world.day = 100
        found, reach, census = world.surveyed(90)
        decision = world.ledger.verdict(made.key).decision
        named = {"upstream": sorted(made.blobs), "decision": decision}
        dossier = world.blob("dossier.json", named)
        world.ledger.intend_registration("fares", made.key)
        since = world.now() - timedelta(days=90)
        sweep(found, reach, census, world.ledger, since, "test", LogProgress())
        assert made.blobs | {dossier.digest} <= world.blobs()


def test_a_removed_blob_that_is_made_again_is_there_again():
    with small_world() as world:
        world.arrive("fares", "january")
        snapshots = world.blobs()
        world.blob("model", b"the same bytes each time")
        world.day = 100
        world.pruned(90)
        assert world.blobs() == snapshots
        again = world.blob("model", b"the same bytes each time")
        assert world.store.get(again.digest) == b"the same bytes each time"
        assert again.digest == digest_bytes(b"the same bytes each time")
        world.pruned(90)
        assert world.blobs() == {*snapshots, again.digest}


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_other_stores_are_pruned_alike(kind, tmp_path, request):
    url = f"file://{tmp_path}/store"
    if kind == "s3":
        url = f"s3://{request.getfixturevalue('bucket')}/some/prefix"
    with small_world(open_store(url)) as world:
        world.arrive("fares", "january")
        world.train("fares", "promote")
        world.monitor("fares")
        rejected = world.train("fares", "reject")
        needed = world.needed(world.now() + timedelta(days=10))
        assert world.pruned(90).removed == 0
        world.day = 100
        interrupted(world, 90, None, 3)
        world.pruned(90)
        assert world.blobs() == needed
        assert not any(world.store.exists(key) for key in rejected.results)
        assert world.dangling() == []
