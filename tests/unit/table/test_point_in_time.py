"""Looking rows up by key and time, compared with trying every pair."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from everfit.data.tables.point_in_time import NEVER, NewestMatches

KEY = st.integers(0, 5)
TIME = st.one_of(st.integers(-4, 4), st.just(NEVER))
ROWS = st.lists(st.tuples(KEY, TIME), max_size=25)


def every_pair(rows, table):
    """Row of the table for each row, and whether several are the newest, by the definition."""
    found = []
    for key, until in rows:
        fit = [
            (time, place)
            for place, (other, time) in enumerate(table)
            if key != 0 and other == key and until != NEVER and time != NEVER and time <= until
        ]
        newest = max((time for time, _ in fit), default=None)
        at = [place for time, place in fit if time == newest]
        found.append((at[-1] if at else -1, len(at) > 1))
    return found


def look_up(rows, parts):
    matches = NewestMatches(*_columns(rows))
    for part in parts:
        matches.add(*_columns(part))
    return matches


def _columns(rows):
    return (
        np.array([key for key, _ in rows], dtype=np.uint64),
        np.array([time for _, time in rows], dtype=np.int64),
    )


@given(rows=ROWS, parts=st.lists(ROWS, max_size=4))
def test_the_match_is_the_newest_row_that_is_not_later_of_all_pairs(rows, parts):
    table = [row for part in parts for row in part]
    matches = look_up(rows, parts)
    assert list(zip(matches.at, matches.tied, strict=True)) == every_pair(rows, table)
    dated = {key for key, time in table if key and time != NEVER}
    assert matches.known.tolist() == [key in dated for key, _ in rows]
    ours = {key for key, _ in rows if key}
    assert matches.candidates == sum(key in ours and time != NEVER for key, time in table)
    assert matches.used == len(ours & dated)


@given(keys=st.lists(KEY, max_size=20), parts=st.lists(st.lists(KEY, max_size=9), max_size=4))
def test_without_times_the_last_row_of_a_key_is_the_match_and_several_are_told(keys, parts):
    matches = NewestMatches(np.array(keys, dtype=np.uint64))
    for part in parts:
        matches.add(np.array(part, dtype=np.uint64))
    table = [key for part in parts for key in part]
    for key, at, tied in zip(keys, matches.at, matches.tied, strict=True):
        places = [place for place, other in enumerate(table) if key and other == key]
        assert at == (places[-1] if places else -1)
        assert tied == (len(places) > 1)
