"""People decide, on a real scheduler: a training that asks, an answer, the three DAGs with forms.

One pipeline is lived through in order; each test goes on where the one before has stopped.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from everfit.contracts.settings import Settings
from everfit_launch.airflow_here import AirflowHere
from everfit_launch.errors import LaunchError
from tests.airflow.stand import REPOSITORY, Stand, until

NAME = "asked"
TRAIN = f"{NAME}.train"
GATE = {
    "metric": "mae",
    "not_worse_than": "50%",
    "baseline": "median",
    "false_promotions": 1.0,  # a span is of one day: what its looks may spend follows from it
    "approval": "required",
}
PATIENCE = 600.0
WHY = "as *agreed* with <b>finance</b>"


class People(Stand):
    """The stand's hand on the Airflow that all tests share, and a person at its API."""

    def __init__(self, airflow: AirflowHere, places: dict[str, str]) -> None:
        self.airflow, self.api, self.environ = airflow, airflow.api, places
        self.settings = Settings.from_environment(places)
        self.data, self.specs = self.settings.data, self.settings.pipelines

    def train_until_asked(self, reason: str) -> str:
        """Start a training, and wait until it asks; gives its run id back."""
        run = self.api.trigger(TRAIN, {"reason": reason})

        def asked() -> bool:
            states = self.states(TRAIN, run)
            assert "failed" not in states.values(), states
            assert states.get("approve") not in ("success", "skipped"), states
            return states.get("approve") == "awaiting_input"

        until(asked, "a person is asked", PATIENCE)
        return run

    def states(self, dag_id: str, run: str) -> dict[str, str | None]:
        return {task.task: task.state for task in self.api.tasks(dag_id, run)}

    def question(self, run: str) -> dict[str, Any]:
        return dict(self.api.call("GET", self._detail(run)))

    def page(self, address: str) -> str:
        """A page of Airflow's server, as somebody who is logged in sees it."""
        self.api.dag_ids()  # logs in where that is over
        token = {"Authorization": f"Bearer {self.api._token}"}
        request = urllib.request.Request(self.api.address + address, headers=token)
        with urllib.request.urlopen(request, timeout=30) as page:
            return page.read().decode()

    def answer(self, run: str, option: str, reason: str | None) -> None:
        """What the page of the question sends."""
        body = {"chosen_options": [option], "params_input": {"reason": reason}}
        self.api.call("PATCH", self._detail(run), body)

    def settle(self, run: str, option: str, reason: str) -> None:
        """Answer until it is taken, and wait for the end of the run.

        A person takes longer than this test. An answer that is given before the scheduler has
        noted that the question is asked makes it ask once more; so does this one then.
        """

        def taken() -> bool:
            states = self.states(TRAIN, run)
            assert states["approve"] != "failed"
            waits = states["approve"] == "awaiting_input"
            if waits and not self.question(run)["response_received"]:
                with contextlib.suppress(LaunchError):  # the one before has just been taken
                    self.answer(run, option, reason)
            return states["approve"] == "success"

        until(taken, "the answer is taken", PATIENCE)
        assert self.airflow.wait_for_run(TRAIN, run, timeout=PATIENCE) == "success"

    def do(self, dag_id: str, **form: Any) -> tuple[str, str]:
        """Start one of the DAGs by its form, and wait for its end: run id and state."""
        run = self.api.trigger(dag_id, form)
        return run, self.airflow.wait_for_run(dag_id, run, timeout=PATIENCE)

    def everfit(self, *arguments: str) -> str:
        """What the command line says, which reads the same ledger."""
        program = REPOSITORY / ".venv" / "bin" / "everfit"
        return subprocess.run(
            [program, *arguments], env=self.environ, check=True, capture_output=True, text=True
        ).stdout

    def history(self) -> list[dict[str, Any]]:
        return list(json.loads(self.everfit("history", NAME, "--json")))

    def alias(self, moved_to: int | None = None) -> int | None:
        """The version that MLflow calls the champion; first moved, as by somebody's hand."""
        path = self.settings.mlflow.removeprefix("sqlite:///")
        with sqlite3.connect(path) as database:
            if moved_to is not None:
                database.execute(
                    "UPDATE registered_model_aliases SET version = ? WHERE name = ?",
                    (moved_to, NAME),
                )
            rows = database.execute(
                "SELECT version FROM registered_model_aliases WHERE name = ?", (NAME,)
            ).fetchall()
        database.close()
        return int(rows[0][0]) if rows else None

    def _detail(self, run: str) -> str:
        return f"/dags/{TRAIN}/dagRuns/{quote(run)}/taskInstances/approve/-1/hitlDetails"


@pytest.fixture(scope="module")
def people(airflow: AirflowHere, places: dict[str, str]) -> Iterator[People]:
    here = People(airflow, places)
    here.pipeline(NAME, gate=GATE, triggers={})
    here.arrive(NAME, range(3))
    here.ready(TRAIN, "everfit.promote", "everfit.rollback", "everfit.reconcile")
    yield here
    for dag_id in (TRAIN, "everfit.reconcile"):
        here.api.pause(dag_id, True)


def test_a_version_waits_without_a_worker_and_serves_once_approved(people: People) -> None:
    run = people.train_until_asked("the first")
    (pool,) = people.api.call("GET", "/pools?pool_name_pattern=default_pool")["pools"]
    assert (pool["running_slots"], pool["queued_slots"]) == (0, 0)
    assert people.registered(NAME) == [1]
    assert (people.alias(), people.history()) == (None, [])
    question = people.question(run)
    assert question["subject"] == f"{NAME}: shall version 1 become champion?"
    assert question["options"] == ["Approve", "Refuse"]
    because = people.api.xcom(TRAIN, run, "gate")["summary"]["because"]
    for word in ("**promote**", "**Because**", "**Checks**", because.split(" (")[0], "/everfit/"):
        assert word.rstrip(".") in question["body"]
    (report,) = re.findall(r"\(<(/everfit/report/[0-9a-f]{64})>\)", question["body"])
    assert "</html>" in people.page(report)

    people.answer(run, "Refuse", "  ")  # without a reason it is asked again
    until(
        lambda: (
            not people.question(run)["response_received"]
            and people.states(TRAIN, run)["approve"] == "awaiting_input"
        ),
        "it is asked again",
    )
    assert people.alias() is None
    people.settle(run, "Approve", WHY)
    assert people.alias() == 1
    (reign,) = people.history()
    assert (reign["kind"], reign["version"]) == ("promote", 1)
    assert reign["reason"].endswith(f"Approved by {people.airflow.user}: {WHY}")


def test_a_refused_version_stays_a_challenger_with_the_reason(people: People) -> None:
    people.arrive(NAME, [3])
    run = people.train_until_asked("the second")
    people.settle(run, "Refuse", "wait for the quarter")
    assert people.states(TRAIN, run)["promote"] == "success"
    assert (people.registered(NAME), people.alias()) == ([1, 2], 1)
    told = people.everfit("explain", NAME, "2")
    assert f"refused by {people.airflow.user}" in told
    assert "wait for the quarter" in told


def test_a_person_promotes_and_goes_back_by_a_form(people: People) -> None:
    _, state = people.do("everfit.promote", pipeline=NAME, version="v2", reason="it is here now")
    assert (state, people.alias()) == ("success", 2)
    _, state = people.do("everfit.rollback", pipeline=NAME, version="1", reason="errors at night")
    assert (state, people.alias()) == ("success", 1)
    made = [(reign["version"], reign["kind"], reign["reason"]) for reign in people.history()[1:]]
    who = people.airflow.user
    assert made == [
        (2, "override", f"it is here now ({who})"),
        (1, "rollback", f"errors at night ({who})"),
    ]


def test_a_slip_in_a_form_is_one_line_and_changes_nothing(people: People) -> None:
    for form in ({"version": "1"}, {"version": "1", "reason": ""}, {"version": "x", "reason": "y"}):
        with pytest.raises(LaunchError, match="400"):
            people.api.trigger("everfit.rollback", {"pipeline": NAME, **form})
    run, state = people.do("everfit.rollback", pipeline=NAME, version="9", reason="why not")
    assert state == "failed"
    because = people.api.xcom("everfit.rollback", run, "promote", "because")
    assert because.startswith(f"CHAMPION-UNKNOWN {NAME} v9: ")
    assert (people.alias(), len(people.history())) == (1, 3)


@pytest.mark.thorough
def test_an_alias_that_a_hand_moved_is_put_back(people: People) -> None:
    assert people.alias(moved_to=2) == 2
    run, state = people.do("everfit.reconcile", pipeline=NAME)
    assert (state, people.alias()) == ("success", 1)
    summary = people.api.xcom("everfit.reconcile", run, "reconcile", map_index=0)["summary"]
    assert summary["repaired"] == ["@champion named v2: it names v1 again"]
    assert summary["for_a_person"] == []
    assert len(people.history()) == 3
    tab = people.page(f"/everfit/runs/everfit.reconcile/{quote(run)}")
    assert f"{NAME}: 1 repaired, 0 for a person" in tab


@pytest.mark.thorough
def test_without_a_pipeline_all_that_can_be_read_are_held_to_the_ledger(people: People) -> None:
    run, state = people.do("everfit.reconcile")
    assert state == "success"
    tasks = [t for t in people.api.tasks("everfit.reconcile", run) if t.task == "reconcile"]
    specs = {path.stem for path in people.specs.glob("*.yaml")} - {"broken"}
    assert {task.label for task in tasks} == specs
    assert {task.state for task in tasks} == {"success"}
