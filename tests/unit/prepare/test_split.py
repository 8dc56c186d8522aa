"""Sides are decided by content: nothing is on both, and appended rows move nobody."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_components.contracts.errors import IntegrityError
from pipeline_components.prepare.proof import prove
from pipeline_components.prepare.split import Seen, held_out, ordered, split_rows

digests = st.lists(st.integers(0, 30), max_size=60).map(lambda v: np.array(v, dtype=np.uint64))


@settings(max_examples=100, deadline=None)
@given(digests, st.data())
def test_nothing_is_on_both_sides(rows, data):
    n = len(rows)
    who = np.array(data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)), dtype=np.uint64)
    judged = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
    for entities in (None, who):
        for side, fraction in ((judged, None), (None, 0.4)):
            split = split_rows(rows, entities, side, fraction)
            train, holdout = rows[split.train], rows[split.holdout]
            assert len(set(train.tolist())) == len(train)
            assert len(set(holdout.tolist())) == len(holdout)
            assert not set(train.tolist()) & set(holdout.tolist())
            if entities is not None:
                shared = set(who[split.train].tolist()) & set(who[split.holdout].tolist())
                assert side is None or not shared
            kept = len(split.train) + len(split.holdout)
            assert kept + sum(split.dropped.values()) == n


@settings(max_examples=100, deadline=None)
@given(digests, digests, st.data())
def test_nothing_the_champion_saw_is_judged_on_while_anything_else_is_there(rows, old, data):
    n = len(rows)
    who = np.array(data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)), dtype=np.uint64)
    judged = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
    theirs = np.array(data.draw(st.lists(st.integers(0, 5), max_size=3)), dtype=np.uint64)
    for side, fraction in ((judged, None), (None, 0.4)):
        without = split_rows(rows, who, side, fraction)
        split = split_rows(rows, who, side, fraction, Seen(old, theirs))
        good = ~np.isin(rows[without.holdout], old) & ~np.isin(who[without.holdout], theirs)
        expected = without.holdout[good] if good.any() else without.holdout
        assert split.holdout.tolist() == expected.tolist()
        assert not set(rows[split.train].tolist()) & set(rows[split.holdout].tolist())
        assert side is None or set(without.train.tolist()) <= set(split.train.tolist())
        assert len(split.train) + len(split.holdout) + sum(split.dropped.values()) == n


def test_a_holdout_keeps_its_rows_and_training_gives_them_up():
    rows = np.array([1, 2, 3, 3, 4], dtype=np.uint64)
    judged = np.array([False, False, False, True, True])
    split = split_rows(rows, None, judged, None)
    assert rows[split.train].tolist() == [1, 2]
    assert rows[split.holdout].tolist() == [3, 4]
    assert split.dropped == {"duplicate": 0, "in_holdout": 1}


def test_the_share_is_as_asked_and_appended_rows_move_none():
    keys = np.random.default_rng(0).integers(0, 2**64, 100_000, dtype=np.uint64)
    side = held_out(keys, 0.25)
    assert abs(side.mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / len(keys))
    more = np.concatenate([keys[500:], keys[:500], keys[:1] + np.uint64(1)])
    assert (held_out(more, 0.25)[: len(keys) - 500] == side[500:]).all()


def test_an_entity_is_on_one_side():
    rows = np.arange(1000, dtype=np.uint64)
    who = rows % np.uint64(37)
    split = split_rows(rows, who, None, 0.3)
    assert len(split.train) and len(split.holdout)
    assert not set(who[split.train].tolist()) & set(who[split.holdout].tolist())


def test_order_is_time_then_content():
    rows, times = np.array([9, 1, 5], dtype=np.uint64), np.array([2, 2, 1])
    places = np.array([0, 1, 2])
    assert ordered(places, rows, times).tolist() == [2, 1, 0]
    assert ordered(places, rows, None).tolist() == [1, 2, 0]


def test_the_proof_refuses_what_overlaps():
    one, two = np.array([1, 2], dtype=np.uint64), np.array([2, 3], dtype=np.uint64)
    with pytest.raises(IntegrityError, match="1 rows and 0 entities"):
        prove((one, None), (two, None), [], {})
    with pytest.raises(IntegrityError, match="0 rows and 1 entities"):
        prove((one, one), (two + np.uint64(5), two), [], {})
    proof = prove((one, None), (two + np.uint64(5), None), [], {})
    assert proof["overlap"] == {"rows": 0, "entities": None}
    # sha-256 of the eight-byte little-endian integers 1 and 2, by Python's struct and hashlib.
    import hashlib
    import struct

    assert proof["train"]["digest"] == hashlib.sha256(struct.pack("<QQ", 1, 2)).hexdigest()
