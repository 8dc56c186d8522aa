"""One rate over all pipelines: who shares it, and what others' drift adds to it."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.contracts.messages.monitoring_levels import DriftLevel
from everfit.ml.fleet_level import Elsewhere, drift_level, drift_levels

FLEET = {f"p{number:02}": "2026-06-01T00:00:00.000Z" for number in range(100)}


def test_a_pipeline_alone_is_tested_as_without_the_rate():
    found = drift_level("p", 0.05, 0.05, Elsewhere({}))
    assert (found.level, found.pipelines) == (0.05, 1)
    assert found.in_words == "tested at 5 %: 5 %, as no other pipeline is monitored"


def test_a_rate_is_shared_by_all_pipelines_that_are_monitored():
    found = drift_level("p00", 0.05, 0.05, Elsewhere(FLEET))
    assert (found.level, found.share, found.pipelines) == (pytest.approx(0.0005), 0.0005, 100)
    assert drift_level("new", 0.05, 0.05, Elsewhere(FLEET)).pipelines == 101


def test_a_pipeline_that_has_gone_takes_no_share():
    gone = FLEET | {"old": "2025-12-01T00:00:00.000Z"}
    assert drift_level("p00", 0.05, 0.05, Elsewhere(gone)).pipelines == 100
    quarterly = FLEET | {"quarterly": "2026-03-02T00:00:00.000Z"}
    assert drift_level("p00", 0.05, 0.05, Elsewhere(quarterly)).pipelines == 101


def test_drift_elsewhere_raises_the_level_once_for_each_window():
    windows = [("p01", "a"), ("p02", "b"), ("p03", "c"), ("p03", "c")]
    found = drift_level("p00", 0.05, 0.05, Elsewhere(FLEET, windows))
    assert (found.level, found.drifted) == (pytest.approx(0.0015), 3)
    assert found.in_words == (
        "tested at 0.15 %: 5 % shared by 100 pipelines, times 3 windows of others that have "
        "drifted since its last"
    )
    one = drift_level("p00", 0.05, 0.05, Elsewhere(FLEET, windows[:1]))
    assert one.level == pytest.approx(0.0005), "the first is paid for by the rate itself"


def test_a_pipeline_gains_nothing_by_itself_nor_by_the_same_rows():
    windows = [("p00", "a"), ("p00", "b"), ("copy", "own"), ("p01", "c"), ("p02", "d")]
    assert drift_level("p00", 0.05, 0.05, Elsewhere(FLEET, windows), {"own"}).drifted == 2


def test_no_window_is_tested_at_more_than_its_own_level():
    windows = [(f"p{number:02}", str(number)) for number in range(1, 100)]
    assert drift_level("p00", 0.05, 0.02, Elsewhere(FLEET, windows)).level == 0.02


def test_of_a_batch_only_the_oldest_new_span_gains_and_a_repeated_one_keeps_its_level():
    first = drift_level("p00", 0.05, 0.05, Elsewhere(FLEET, [("p01", "a"), ("p02", "b")]))
    before = DriftLevel(level=0.01, rate=0.05, pipelines=5, counts=True)
    found = drift_levels(first, [("may", before), ("june", None), ("july", None)])
    assert found["may"] == before.model_copy(update={"repeated": True, "counts": False})
    assert found["june"] == first
    assert (found["july"].level, found["july"].drifted) == (pytest.approx(0.0005), 0)
    assert found["may"].in_words.endswith("; as when it was first tested")


@pytest.mark.parametrize("drifting", [0, 5])
def test_false_windows_stay_within_the_rate_though_windows_of_a_pipeline_repeat(drifting):
    """Unchanged pipelines have one p-value for three windows on end: as dependent as can be."""
    random = np.random.default_rng(7)
    pipelines, rounds, rate = 10, 900, 0.05
    newest = {f"{number}": "2026-06-01T00:00:00.000Z" for number in range(pipelines)}
    false = true = 0
    windows: list[tuple[str, str]] = []
    last = dict.fromkeys(newest, 0)
    for number in range(rounds):
        if number % 3 == 0:
            p_values = random.random(pipelines)
            p_values[:drifting] = 1e-9
        for one in range(pipelines):
            since = windows[last[f"{one}"] :]
            tested = drift_level(f"{one}", rate, 0.05, Elsewhere(newest, since))
            last[f"{one}"] = len(windows)
            true += bool(p_values[one] <= tested.level) and one < drifting
            false += bool(p_values[one] <= tested.level) and one >= drifting
            if p_values[one] <= tested.share:
                windows.append((f"{one}", f"{number}"))
    assert true == drifting * rounds
    allowed = rate * max(rounds, true)
    assert 0 < false <= allowed + 3 * np.sqrt(3 * allowed), "windows come in threes"
