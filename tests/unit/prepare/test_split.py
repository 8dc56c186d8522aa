"""Sides are decided by span or by a hash: no row is on both, and appended rows move nobody."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.contracts.errors import IntegrityError
from everfit.data.tables.row_digests import newest_versions
from everfit.steps.prepare.proof import prove
from everfit.steps.prepare.split import (
    RowFacts,
    Seen,
    held_out,
    ordered,
    split_rows,
)

digests = st.lists(st.integers(0, 30), max_size=60).map(lambda v: np.array(v, dtype=np.uint64))


def some(data, n, most):
    values = data.draw(st.lists(st.integers(0, most), min_size=n, max_size=n))
    return np.array(values, dtype=np.uint64)


@settings(max_examples=100, deadline=None)
@given(digests, st.data())
def test_every_row_is_on_one_side_or_counted(rows, data):
    n = len(rows)
    who, keys = some(data, n, 5), np.arange(1, n + 1, dtype=np.uint64)
    judged = some(data, n, 1).astype(bool)
    for entities, named in ((None, None), (who, None), (None, keys)):
        for side, fraction in ((judged, None), (None, 0.4)):
            split = split_rows(RowFacts(rows, named, entities, rows, side), fraction)
            assert not set(split.train.tolist()) & set(split.holdout.tolist())
            kept = len(split.train) + len(split.holdout)
            assert kept + sum(split.dropped.values()) == n
            if entities is not None:
                assert not set(who[split.train].tolist()) & set(who[split.holdout].tolist())
            elif side is not None:
                assert kept == n  # equal rows are observations: nothing is left out
            elif named is None:  # equal rows are on one side together
                assert not set(rows[split.train].tolist()) & set(rows[split.holdout].tolist())


@settings(max_examples=100, deadline=None)
@given(digests, digests, st.data())
def test_nothing_the_champion_saw_is_judged_on_while_anything_else_is_there(rows, old, data):
    n = len(rows)
    who, judged = some(data, n, 5), some(data, n, 1).astype(bool)
    spans = some(data, n, 1).astype(bool)
    theirs = np.array(data.draw(st.lists(st.integers(0, 5), max_size=3)), dtype=np.uint64)
    for side, fraction in ((judged, None), (None, 0.4)):
        facts = RowFacts(rows, None, who, rows, side, None if side is None else spans)
        without = split_rows(facts, fraction)
        split = split_rows(facts, fraction, Seen(old, theirs))
        known = np.isin(rows, old) if side is None else spans
        good = ~known[without.holdout] & ~np.isin(who[without.holdout], theirs)
        expected = without.holdout[good] if good.any() else without.holdout
        assert split.holdout.tolist() == expected.tolist()
        assert side is None or set(without.train.tolist()) <= set(split.train.tolist())
        assert len(split.train) + len(split.holdout) + sum(split.dropped.values()) == n


def test_a_champion_has_seen_what_has_the_same_key_whatever_its_content():
    rows, keys = np.arange(4, dtype=np.uint64), np.array([5, 6, 0, 7], dtype=np.uint64)
    facts = RowFacts(rows, keys, judged=np.array([False, True, True, True]))
    split = split_rows(facts, None, Seen(rows, None, np.array([6, 0], dtype=np.uint64)))
    assert split.holdout.tolist() == [2, 3] and split.dropped["seen_by_champion"] == 1


def test_the_newest_of_a_key_is_of_the_latest_span_then_time_then_place():
    keys = np.array([1, 1, 2, 1, 2, 0, 0], dtype=np.uint64)
    span, times = np.array([0, 0, 0, 1, 1, 1, 1]), np.array([9, 9, 5, 1, 1, 1, 1])
    assert newest_versions(keys, span, times).tolist() == [
        *(False, False, False, True, True),
        *(True, True),  # rows that nothing names
    ]
    one = np.zeros(3, dtype=np.int64)
    same = np.array([4, 4, 4], dtype=np.uint64)
    assert newest_versions(same, one, np.array([7, 9, 8])).tolist() == [False, True, False]
    assert newest_versions(same, one, None).tolist() == [False, False, True]


def test_the_share_is_as_asked_and_appended_rows_move_none():
    keys = np.random.default_rng(0).integers(0, 2**64, 100_000, dtype=np.uint64)
    side = held_out(keys, 0.25)
    assert abs(side.mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / len(keys))
    more = np.concatenate([keys[500:], keys[:500], keys[:1] + np.uint64(1)])
    assert (held_out(more, 0.25)[: len(keys) - 500] == side[500:]).all()


def test_an_entity_is_on_one_side():
    rows = np.arange(1000, dtype=np.uint64)
    who = rows % np.uint64(37)
    split = split_rows(RowFacts(rows, entities=who), 0.3)
    assert len(split.train) and len(split.holdout)
    assert not set(who[split.train].tolist()) & set(who[split.holdout].tolist())


def test_order_is_time_then_content():
    rows, times = np.array([9, 1, 5], dtype=np.uint64), np.array([2, 2, 1])
    places = np.array([0, 1, 2])
    assert ordered(places, rows, times).tolist() == [2, 1, 0]
    assert ordered(places, rows, None).tolist() == [1, 2, 0]


def test_the_proof_refuses_what_overlaps():
    one, two = np.array([1, 2], dtype=np.uint64), np.array([2, 3], dtype=np.uint64)
    far, spans = two + np.uint64(5), np.zeros(2, dtype=bool)
    with pytest.raises(IntegrityError, match="1 rows and 0 entities"):
        prove(RowFacts(one), RowFacts(two), [], {})
    with pytest.raises(IntegrityError, match="1 rows and 0 entities"):
        prove(RowFacts(one, one, judged=spans), RowFacts(far, two, judged=spans), [], {})
    with pytest.raises(IntegrityError, match="0 rows and 1 entities"):
        prove(RowFacts(one, entities=one), RowFacts(far, entities=two), [], {})
    proof = prove(RowFacts(one), RowFacts(far), [], {})
    assert proof["overlap"] == {"rows": 0, "entities": None, "equal_contents": 0}
    # Of different spans, equal rows are different observations.
    proof = prove(RowFacts(one, judged=spans), RowFacts(two, judged=spans), [], {})
    assert proof["overlap"] == {"rows": 0, "entities": None, "equal_contents": 1}
    # sha-256 of the eight-byte little-endian integers 1 and 2, by Python's struct and hashlib.
    import hashlib
    import struct

    assert proof["train"]["digest"] == hashlib.sha256(struct.pack("<QQ", 1, 2)).hexdigest()
