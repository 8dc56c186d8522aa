"""Copies are told from rows that repeat by chance."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.data.tables.redelivery import occurring, pieces_of, redelivery
from everfit.data.tables.row_digests import scatter

SPANS, ROWS = 4, 2_000


def hashes(values):
    return scatter(np.asarray(values).astype(np.uint64))


def world(kind, seed, spans=SPANS + 1, rows=ROWS):
    """Spans of one world, each of independent rows; how often they repeat depends on its kind."""
    random = np.random.default_rng(seed)
    draw = {
        "measurements": lambda: random.integers(0, 2**60, rows),
        "common": lambda: random.integers(0, 50, rows),
        "half": lambda: random.integers(0, 2 * SPANS * rows, rows),
        "long tail": lambda: random.zipf(1.3, rows) % 2**40,
        "bursts": lambda: np.repeat(random.integers(0, 2**60, rows // 5), 5),
    }[kind]
    return [hashes(draw()) for _ in range(spans)]


def compare(new, earlier):
    owner = np.repeat(np.arange(len(earlier)), [len(span) for span in earlier])
    return redelivery(new, np.concatenate(earlier), pieces_of(owner))


KINDS = ["measurements", "common", "half", "long tail", "bursts"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("earlier", [1, 2, 4])
def test_independent_spans_are_no_delivery_however_often_their_rows_repeat(kind, earlier):
    for seed in range(20):
        *spans, new = world(kind, seed)
        assert not compare(new, spans[:earlier]).is_large


@pytest.mark.parametrize("kind", ["measurements", "half", "long tail", "bursts"])
@pytest.mark.parametrize("earlier", [1, 2, 4])
def test_a_span_delivered_again_is_told(kind, earlier):
    spans = world(kind, 1)[:earlier]
    again = np.random.default_rng(9).permutation(spans[0])
    found = compare(again, spans)
    assert found.is_large and found.part > 0.8 and found.repeated == ROWS


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("kind", ["measurements", "half"])
def test_the_part_is_estimated(kind, share):
    *spans, new = world(kind, 2)
    count = int(ROWS * share)
    mixed = np.concatenate([spans[1][:count], new[count:]])
    found = compare(mixed, spans)
    assert found.is_large and abs(found.part - share) < 0.06


def test_one_content_that_became_frequent_is_no_delivery():
    """A plant that stood still for half of the month repeats one row, and no delivery."""
    *spans, new = world("measurements", 3)
    spans = [np.concatenate([span, hashes([0])]) for span in spans]
    still = np.concatenate([new[: ROWS // 2], hashes(np.zeros(ROWS // 2))])
    found = compare(still, spans)
    assert found.repeated == ROWS // 2 and not found.is_large


def test_chance_is_what_the_spans_show_among_each_other():
    """By hand: half of each span's rows are in the other, and half of the new ones in either."""
    one, two = hashes(range(100)), hashes(range(50, 150))
    found = compare(hashes([*range(50, 100), *range(900, 950)]), [one, two])
    assert (found.by_chance, found.repeated, round(found.part, 6)) == (0.5, 50, 0.0)


def test_too_little_tells_nothing():
    few = hashes(range(5))
    assert compare(few, [few]) is None
    assert redelivery(few, few, np.zeros(5, dtype=np.int64)) is None


def test_pieces_are_spans_or_the_halves_of_one():
    assert pieces_of(np.array([3, 3, 3, 3])).tolist() == [0, 0, 1, 1]
    assert pieces_of(np.array([0, 2, 2, 5])).tolist() == [0, 1, 1, 2]
    many = pieces_of(np.arange(20))
    assert many.max() == 7 and (np.diff(many) >= 0).all() and len(set(many.tolist())) == 8


def test_the_share_of_values_that_occur_is_estimated_on_some():
    old = hashes(range(100_000))
    assert occurring(old[:50_000], old) == 1.0
    assert occurring(hashes(range(200_000, 210_000)), old) == 0.0
    mixed = np.concatenate([old[:10_000], hashes(range(200_000, 210_000))])
    assert abs(occurring(mixed, old) - 0.5) < 0.05
    assert occurring(np.zeros(5, dtype=np.uint64), old) == 0.0  # nothing but missing values
