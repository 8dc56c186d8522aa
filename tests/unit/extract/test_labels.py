"""Labels that stand apart from the rows they belong to, and come later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.sources.beside import list_with_tables
from everfit.data.sources.mature import reached
from everfit.data.sources.span_request import extract_request
from everfit.steps.extract.step import Extract

LABELS = {
    "source": {"uri": "{data}/labels/*.csv"},
    "key": ["id"],
    "value": "y",
    "time": "known",
    "horizon": "10d",
}
SPEC = {
    "name": "p",
    "task": "binary",
    "target": "y",
    "time": "at",
    "source": {"uri": "{data}/rows/*.csv"},
    "labels": LABELS,
    "gate": {"superior_by": "1%", "baseline": "prior"},
}
JANUARY = "id,at,x\n1,2024-01-01,5\n2,2024-01-05,6\n3,2024-01-20,7\n4,2024-01-20,8\n"


@pytest.fixture
def labelled(extract):
    def run(**more):
        spec = PipelineSpec.model_validate({**SPEC, **more})
        listed = list_with_tables(spec, extract.context.settings)
        request = extract_request(spec, listed.listing.spans, listed.tables)
        result = Extract().run(request, extract.context)
        extract.record(request, result)
        return result

    return run


def labels(extract, result, span=0):
    return extract.table(result.snapshots[span]).column("y").to_pylist()


def write_labels(write, *rows, name="1"):
    write(f"labels/{name}.csv", "\n".join(["id,known,y", *rows]) + "\n")


def test_a_span_is_mature_once_labels_are_known_up_to_its_last_row_and_the_horizon(
    extract, labelled, write
):
    write("rows/jan.csv", JANUARY)
    # Label 3 is early: its neighbour of the same age, 4, has none yet, and may still get one.
    write_labels(write, "1,2024-01-03,1", "2,2024-01-09,0", "3,2024-01-21,1")
    before = labelled()
    assert labels(extract, before) == [None, None, None, None]
    found = before.snapshots[0].labels
    assert (found.immature, found.mature, found.due) == (4, False, "2024-01-30T00:00:00")
    write_labels(write, "9,2024-01-29T23:59:59,1", name="2")
    assert labelled().snapshots[0].span.digest == before.snapshots[0].span.digest
    write_labels(write, "9,2024-01-30,1", name="3")
    after = labelled()
    assert labels(extract, after) == [1, 0, 1, None]
    found = after.snapshots[0].labels
    assert (found.labelled, found.immature, found.unlabelled) == (3, 0, 1)
    write_labels(write, "9,2024-04-30,1", "4,2024-05-02,1", name="4")
    later = labelled()
    assert later.snapshots[0].span.digest == after.snapshots[0].span.digest
    assert (
        later.snapshots[0].labels.late == 1
    )  # known after the horizon: the others had no such time


def test_one_table_matures_row_by_row_where_rows_are_held_out(extract, labelled, write):
    write("rows/all.csv", JANUARY)
    write_labels(write, "1,2024-01-03,1", "2,2024-01-15,0", "3,2024-01-16,1")
    result = labelled(holdout={"fraction": 0.3})
    assert labels(extract, result) == [1, 0, None, None]
    assert (result.snapshots[0].labels.immature, result.snapshots[0].labels.mature) == (2, True)


def test_of_several_labels_the_newest_in_time_counts_and_the_others_are_counted(
    extract, labelled, write
):
    write("rows/jan.csv", JANUARY)
    write_labels(
        write,
        "1,2024-01-09,1",
        "1,2024-01-03,0",
        "2,2024-01-09,0",
        "2,2024-01-25,1",
        "7,2024-03-01,1",
    )
    result = labelled()
    assert labels(extract, result) == [1, 0, None, None]
    assert result.snapshots[0].labels.repeated == 2
    notes = Extract().report(result, extract.context).summary.notes
    assert notes[-2:] == (
        "labels: 2 of 4 rows have one; 2 have none that came in time; "
        "2 were replaced by newer ones",
        "labels: 1 of 5 are of no row of these spans",
    )


def test_without_a_time_the_period_of_the_labels_says_how_far_they_are_known(
    extract, labelled, write
):
    write("rows/jan.csv", JANUARY)
    apart = {**LABELS, "time": None, "source": {**LABELS["source"], "period": "%Y-%m"}}
    write("labels/2024-01.csv", "id,y\n1,1\n2,1\n")
    assert labels(extract, labelled(labels={**apart, "horizon": "13d"})) == [None] * 4
    assert labels(extract, labelled(labels={**apart, "horizon": "12d"})) == [1, 1, None, None]
    write("labels/2024-02.csv", "id,y\n2,0\n")
    assert labels(extract, labelled(labels=apart)) == [1, 0, None, None]  # the last counts


def test_a_label_dated_after_now_makes_nothing_mature(extract, labelled, write):
    write("rows/jan.csv", JANUARY)
    write_labels(write, "1,2024-01-03,1", "2,2024-01-09,0", "3,2024-01-10,1", "4,2024-01-10,0")
    write_labels(write, "9,2999-01-01,1", name="2")
    assert labels(extract, labelled()) == [None] * 4
    assert labelled().snapshots[0].labels.known_until == "2024-01-10T00:00:00"
    write_labels(write, *[f"9,2024-02-0{day},1" for day in range(1, 9)], "9,2999-01-01,1", name="2")
    assert labels(extract, labelled()) == [1, 0, 1, 0]


def test_before_there_are_labels_nothing_is_mature(extract, labelled, write, settings):
    write("rows/jan.csv", JANUARY)
    (settings.data / "labels").mkdir()
    result = labelled()
    assert labels(extract, result) == [None] * 4
    assert not result.snapshots[0].labels.mature


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"time": None}, "labels: a row's own time says when its label is due: set time"),
        ({"labels": {**LABELS, "value": "z"}}, "labels.value: 'z' is neither the target nor"),
        ({"labels": {**LABELS, "time": None}}, "nothing says up to when labels are known"),
        ({"window": {"skip_recent": 2}}, "window.skip_recent: labels.horizon says by the rows"),
        ({"source": {"uri": "x", "columns": ["at", "x"]}}, "labels.key: 'id' is not read"),
    ],
)
def test_labels_that_cannot_be_are_told_before_anything_is_read(change, problem):
    with pytest.raises(ValueError, match="labels") as caught:
        PipelineSpec.model_validate({**SPEC, **change})
    assert problem in str(caught.value)


DAY = st.integers(0, 40)


@given(
    rows=st.lists(st.tuples(st.integers(1, 6), DAY), min_size=1, max_size=12),
    known=st.lists(st.tuples(st.integers(1, 8), DAY, st.integers(0, 1)), min_size=1, max_size=15),
    row_by_row=st.booleans(),
)
def test_labels_are_those_of_trying_every_pair(rows, known, row_by_row, tmp_path_factory):
    """By the definition, over days: known up to W, a row is due at its day and ten more."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from everfit.contracts.messages.spans import Snapshot, Span
    from everfit.contracts.spec.labels import LabelsSpec
    from everfit.steps.extract.labels import Labels

    folder = tmp_path_factory.mktemp("labels")
    begin = datetime(2024, 1, 1)

    def snapshot(name, columns):
        table = pa.table(columns)
        pq.write_table(table, folder / name)
        days = next(one for one in columns.values() if isinstance(one[0], datetime))
        span = Span(
            name=name, digest="0" * 64, rows=len(days), size=1, time_max=max(days).isoformat()
        )
        return Snapshot(span=span, fingerprint="", provenance={})

    def days(of):
        return [begin + timedelta(days=one) for one in of]

    apart = snapshot("rows", {"id": [i for i, _ in rows], "at": days(d for _, d in rows)})
    part = snapshot(
        "part",
        {
            "id": [i for i, _, _ in known],
            "known": days(d for _, d, _ in known),
            "y": [y for _, _, y in known],
        },
    )

    class Context:
        scratch = folder

        @staticmethod
        def clock():
            return datetime(2025, 1, 1, tzinfo=UTC)

        class store:  # noqa: N801
            @staticmethod
            def local(_digest, _scratch):
                return folder / "part"

    found = Labels(LabelsSpec.model_validate(LABELS), [part], row_by_row, Context())
    ref = SpanRef(name="rows", fingerprint="", location="")
    with pq.ParquetFile(folder / "rows") as file:
        joined, counts = found.look_up(ref, file, apart, "at")
    values = joined.columns(0, len(rows))[0].to_pylist()
    until = max(day for _, day, _ in known)
    whole = max(day for _, day in rows) + 10 <= until
    expected = []
    for name, day in rows:
        due = (row_by_row or whole) and day + 10 <= until
        fit = [(d, n) for n, (i, d, _) in enumerate(known) if i == name and d <= day + 10]
        expected.append(known[max(fit)[1]][2] if due and fit else None)
    assert values == expected
    assert counts.labelled == int(np.sum([one is not None for one in expected]))


def refs(*marks):
    """``m``: mature as it is listed; ``w``: waits; ``u``: unread; ``b``: unread, mature before."""
    spans, known = [], []
    for number, mark in enumerate(marks):
        ref = SpanRef(name=f"{number}", fingerprint="f with=2", own="f", location="")
        spans.append(ref)
        if mark != "u":
            of = "f with=1" if mark == "b" else "f with=2"
            known.append((ref.name, of, {"labels": {"mature": mark != "w"}}))
    return spans, known


@pytest.mark.parametrize(
    ("marks", "expected", "unread"),
    [
        ("mmmmww", "123", False),  # a window of two and a holdout of one
        ("mmmmwu", "1235", True),
        ("bbbbuu", "12345", True),
        ("ummmww", "123", False),  # what lies before is of no use
        ("uuuuuu", "012345", True),
        ("wwwwww", "", False),
    ],
)
def test_a_window_goes_back_until_enough_spans_are_mature(marks, expected, unread):
    spec = PipelineSpec.model_validate({**SPEC, "window": {"spans": 2}})
    found = reached(spec, *refs(*marks))
    assert ("".join(ref.name for ref in found.spans), found.unread) == (expected, unread)
