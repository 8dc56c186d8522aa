"""Spans without a period in their names are dated by their rows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.sources import list_spans
from everfit.operations.replay.row_times import end_of_rows


def spec(**more):
    return PipelineSpec.model_validate(
        {
            "name": "p",
            "task": "regression",
            "target": "y",
            "source": {"uri": "{data}/s/*.csv", "settle": 0},
            "gate": {"superior_by": 0.1, "baseline": "mean"},
            **more,
        }
    )


def write(context, name, times):
    folder = context.settings.data / "s"
    folder.mkdir(exist_ok=True)
    rows = "".join(f"{at},{place}\n" for place, at in enumerate(times))
    (folder / name).write_text(f"at,y\n{rows}")


@pytest.mark.parametrize("zone", ["", "Z"])
def test_the_latest_row_dates_a_span(context, zone):
    write(context, "part-b.csv", [f"2020-01-{day:02}T06:00:00{zone}" for day in range(1, 11)])
    write(context, "part-a.csv", [f"2020-02-{day:02}T06:00:00{zone}" for day in range(1, 11)])
    known = spec(time="at")
    ends = end_of_rows(known, list_spans(known.source, context.settings).spans, context)
    assert ends == {
        "part-b.csv": datetime(2020, 1, 10, 6, tzinfo=UTC),
        "part-a.csv": datetime(2020, 2, 10, 6, tzinfo=UTC),
    }
    assert context.ledger.spans("p") == []


def test_a_time_far_from_all_others_dates_nothing(context):
    times = [f"2020-01-{day:02}T06:00:00" for day in range(1, 11)]
    write(context, "a.csv", [*times, "2031-01-01T00:00:00"])
    write(context, "future.csv", ["2090-01-01T00:00:00", "2090-01-02T00:00:00"])
    known = spec(time="at")
    ends = end_of_rows(known, list_spans(known.source, context.settings).spans, context)
    assert ends == {"a.csv": datetime(2020, 1, 10, 6, tzinfo=UTC)}


def test_without_a_time_column_nothing_is_read(context):
    write(context, "a.csv", ["2020-01-01"])
    known = spec()
    assert end_of_rows(known, list_spans(known.source, context.settings).spans, context) == {}
