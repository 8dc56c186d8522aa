"""Several processes at once: one becomes champion, one version a run, evaluations in a row."""

from __future__ import annotations

import pytest

from everfit.operations.chaos.acts import racing
from tests.proof.invariants import check_settled, journal_of
from tests.proof.lived import RIVALS, Lived

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The ``noload``:DeprecationWarning"),
]

ROUNDS = 3


@pytest.fixture(params=["on_sqlite", "on_services"])
def lived(request: pytest.FixtureRequest) -> Lived:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("racers", [2, RIVALS])
def test_of_runs_judged_against_one_champion_one_takes_its_place(lived: Lived, racers: int) -> None:
    names = [f"rival{number} register" for number in range(racers)]
    for _ in range(ROUNDS):
        lived.put_back("rivals register")
        ended = racing([lived.carry_out(name) for name in names], lived.as_process)
        assert [one.code for one in ended] == [0] * racers, "\n".join(one.said for one in ended)
        rows, mlflow = check_settled(lived.settings)
        journal = journal_of(rows, "quick")
        assert [entry["sequence"] for entry in journal] == [1, 2]
        assert sorted(mlflow.versions) == list(range(1, racers + 2))
        assert sum("stays a challenger" in one.said for one in ended) == racers - 1
        assert {status for _, status in mlflow.runs.values()} == {"FINISHED"}
        for name in names:  # nothing is left to do for anybody
            lived.again(name)
        assert check_settled(lived.settings)[0]["promotions"] == rows["promotions"]


@pytest.mark.parametrize("racers", [2, 4])
def test_one_run_registered_by_several_is_one_version_and_one_run(
    lived: Lived, racers: int
) -> None:
    name = "second register"
    for _ in range(ROUNDS):
        lived.put_back(name)
        ended = racing([lived.carry_out(name)] * racers, lived.as_process)
        # Who meets a twin of its run in the making may be told to try again.
        assert {one.code for one in ended} <= {0, 75}, "\n".join(one.said for one in ended)
        lived.again(name)
        rows, mlflow = check_settled(lived.settings)
        assert sorted(mlflow.versions) == [1, 2]
        assert len(rows["versions"]) == 2
        runs = [key for key, status in mlflow.runs.values() if status == "FINISHED"]
        assert len(runs) == len(set(runs)) == 2
        assert mlflow.versions[2][1] == rows["versions"][1]["mlflow_run"]


def test_evaluations_on_one_holdout_queue_up_and_overspend_nothing(lived: Lived) -> None:
    names = [f"rival{number} evaluate" for number in range(RIVALS)]
    for _ in range(ROUNDS):
        lived.put_back("rivals evaluate")
        before = len(lived.evaluations())
        ended = racing([lived.carry_out(name) for name in names], lived.as_process)
        assert [one.code for one in ended] == [0] * RIVALS, "\n".join(one.said for one in ended)
        check_settled(lived.settings)
        evaluations = lived.evaluations()
        assert [one["sequence"] for one in evaluations] == list(range(1, before + RIVALS + 1))
        assert len({one["run_key"] for one in evaluations[before:]}) == RIVALS
