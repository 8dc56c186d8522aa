"""Rows whose label is due and not there."""

from __future__ import annotations

import pytest

from everfit.contracts.messages.joined import Labelled
from everfit.contracts.messages.requests import Stop
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.steps.validate.check_labels import check_labels, with_waiting
from everfit.steps.validate.findings import Findings


def found(labels, **more):
    apart = {
        "source": {"uri": "labels/*.csv"},
        "key": ["id"],
        "value": "y",
        "time": "known",
        "horizon": "30d",
    }
    spec = PipelineSpec.model_validate(
        {
            "name": "p",
            "task": "binary",
            "target": "y",
            "time": "at",
            "source": {"uri": "rows/*.csv"},
            "labels": {**apart, **more},
            "gate": {"superior_by": "1%", "baseline": "prior"},
        }
    )
    findings = Findings("may", spec)
    check_labels(labels, spec, findings)
    return [(one.code, one.severity, one.message) for one in findings.anomalies]


def labels(labelled, immature=0, late=0, mature=True):
    return Labelled(rows=200, labelled=labelled, immature=immature, late=late, mature=mature)


@pytest.mark.parametrize(
    ("labelled", "more", "severity"),
    [
        (199, {}, "info"),
        (150, {}, "warning"),
        (199, {"unlabelled": "quarantine"}, "error"),
    ],
)
def test_rows_without_a_label_are_told_and_quarantine_a_span_where_that_is_set(
    labelled, more, severity
):
    ((code, found_severity, message),) = found(labels(labelled), **more)
    assert (code, found_severity) == ("UNLABELLED", severity)
    assert f"{200 - labelled} of 200 rows" in message


def test_a_row_that_waits_is_no_row_without_a_label():
    assert found(labels(150, immature=50)) == []
    ((_, _, message),) = found(labels(140, immature=50, late=4))
    assert "10 of 150 rows (6.67 %) have no label 30d after their time (4 of them" in message


def test_too_few_spans_says_which_wait_and_for_what():
    stop = Stop(code="VALIDATE-TOO-FEW", must="2 good spans", found="1 of 1 is good", todo="Wait")
    waits = labels(0, immature=200, mature=False).model_copy(
        update={"due": "2024-05-28T00:00:00", "known_until": "2024-05-20T00:00:00"}
    )
    told = with_waiting(stop, {"apr": labels(200), "may": waits})
    assert told.found == "1 of 1 is good; 1 more span waits for labels: may"
    assert "due at 2024-05-28T00:00:00, labels are known up to 2024-05-20T00:00:00" in told.todo
    assert with_waiting(stop, {"apr": labels(200)}) is stop
