"""What people see and send: three DAGs with forms, the question of a training, its answer."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowSkipException, ParamValidationError
from markdown_it import MarkdownIt

from everfit.contracts.messages.people import PersonRequest, Question
from everfit.contracts.messages.summaries import PromoteSummary, ReconcileSummary
from everfit_airflow.dags.champion_dags import ChampionOperator, PipelinesOperator, champion_dags
from everfit_airflow.operators import approval as approval_module
from everfit_airflow.operators.approval import AnswerOperator, ApprovalOperator, body, plain
from everfit_airflow.operators.failures import UserActionRequired
from everfit_airflow.operators.orders import requested_by_form
from everfit_airflow.ui.run_tab import BECAUSE, RunSoFar, run_tab
from tests.summaries import summary

REPOSITORY = Path(__file__).resolve().parents[2]
DAG_FILE = REPOSITORY / "dags" / "everfit_champions.py"
NAMES = ["everfit.promote", "everfit.reconcile", "everfit.rollback"]
DIGEST = "ab" * 32
ASKS = "gate: {superior_by: 1%, baseline: median, approval: required}"


def load() -> DagBag:
    return DagBag(str(DAG_FILE), safe_mode=False)


def asks(folder: Path) -> None:
    """Let the gate of ``fares`` ask a person."""
    path = folder / "fares.yaml"
    lines = [ASKS if line.startswith("gate:") else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))


# The three DAGs.


def test_there_are_three_dags_however_many_pipelines(folder):
    for number in range(20):
        (folder / f"p{number}.yaml").write_text("task: [")
    bag = load()
    assert (sorted(bag.dags), bag.import_errors) == (NAMES, {})
    for dag in bag.dags.values():
        assert len(dag.tasks) <= 2
        if dag.schedule is not None:
            assert dag.dag_id == "everfit.reconcile"
            dag.params.validate()  # a scheduled run fills no form


def test_the_form_offers_the_pipelines_there_are(folder):
    (folder / "tips.yaml").write_text("task: [")
    dags = load().dags
    for name in ("everfit.promote", "everfit.rollback"):
        assert dags[name].params.get_param("pipeline").schema["enum"] == ["fares", "tips"]
    assert dags["everfit.reconcile"].params.get_param("pipeline").schema["enum"] == [
        None,
        "fares",
        "tips",
    ]


@pytest.mark.parametrize(
    ("dag", "form", "good"),
    [
        ("rollback", {"pipeline": "fares", "version": "3", "reason": "errors"}, True),
        ("rollback", {"pipeline": "fares", "version": "v12", "reason": "errors"}, True),
        ("rollback", {"pipeline": "fares", "version": "3"}, False),
        ("rollback", {"pipeline": "fares", "version": "3", "reason": ""}, False),
        ("rollback", {"pipeline": "fares", "version": "", "reason": "errors"}, False),
        ("rollback", {"pipeline": "fares", "version": "0", "reason": "errors"}, False),
        ("rollback", {"pipeline": "fares", "version": "3", "reason": "x" * 501}, False),
        ("rollback", {"pipeline": "tips", "version": "3", "reason": "errors"}, False),
        ("rollback", {"version": "3", "reason": "errors"}, False),
        ("promote", {"pipeline": "fares", "version": "3", "reason": "errors"}, True),
        ("promote", {"pipeline": "fares", "run": "abcd", "reason": "errors"}, True),
        ("promote", {"pipeline": "fares", "run": "abc; rm", "reason": "errors"}, False),
        ("reconcile", {}, True),
        ("reconcile", {"pipeline": "fares"}, True),
        ("reconcile", {"pipeline": "../x"}, False),
    ],
)
def test_a_form_is_checked_before_a_run_begins(folder, dag, form, good):
    fields = load().dags[f"everfit.{dag}"].params
    try:
        for name, value in form.items():
            fields[name] = value
        fields.validate()
    except ParamValidationError:
        assert not good
    else:
        assert good


def test_without_a_pipeline_the_dags_still_load(folder):
    (folder / "fares.yaml").unlink()
    assert sorted(load().dags) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_tasks_process_builds_its_own_dag_alone(folder, monkeypatch, name):
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", name)
    assert list(load().dags) == [name]


def test_no_form_is_copied_to_a_task(folder):
    for dag in load().dags.values():
        assert all(not task.params for task in dag.tasks)


def test_reading_the_file_reads_no_spec_and_no_library_of_the_components(folder):
    text = f"""
import sys
from everfit_airflow.dags import champion_dags
champion_dags.load_spec = None
from pathlib import Path
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({str(DAG_FILE)!r}, safe_mode=False)
assert sorted(bag.dags) == {NAMES!r}, bag.import_errors
heavy = {{"numpy", "pandas", "mlflow", "sklearn", "pyarrow", "fastapi"}} & set(sys.modules)
ours = [m for m in sys.modules if m.startswith("everfit.")]
assert not heavy, heavy
assert all(m.startswith("everfit.contracts") for m in ours), ours
assert "airflow.providers.standard.operators.hitl" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text],
        env={
            **os.environ,
            "EVERFIT_PIPELINES": str(folder),
            "PYTHONPATH": os.pathsep.join(
                str(REPOSITORY / folder) for folder in ("", "pipeline_components", "plugins")
            ),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_airflow_can_keep_all_of_them_with_their_forms(folder):
    from airflow.serialization.serialized_objects import DagSerialization

    def built() -> dict:
        training = DagBag(str(REPOSITORY / "dags" / "everfit_pipelines.py"), safe_mode=False)
        return {**load().dags, "fares.train": training.dags["fares.train"]}

    asks(folder)
    again = built()
    for name, dag in built().items():
        text = json.dumps(DagSerialization.to_dict(dag))
        kept = DagSerialization.from_dict(json.loads(text))
        assert kept.task_dict.keys() == dag.task_dict.keys()
        assert kept.params.keys() == dag.params.keys()
        # A difference would be a new version of the DAG with every look at it.
        assert DagSerialization.to_dict(again[name]) == DagSerialization.to_dict(dag)
        assert "0x" not in text


def told_by(task, form, folder, monkeypatch, **left) -> list[tuple[str, str, str]]:
    """Pipeline, kind and place of what the callback of a task's success sends."""
    from everfit_airflow.observability.notifying import outlets

    sent = []
    monkeypatch.setattr(
        outlets, "send", lambda one, to: sent.append((one.pipeline, one.kind, str(to)))
    )
    ti = SimpleNamespace(
        task_id=task.task_id,
        dag_id="everfit.rollback",
        run_id="r",
        map_index=-1,
        xcom_pull=lambda task_ids, key, map_indexes=-1: left.get(key),
    )
    (callback,) = task.on_success_callback
    callback({"task": task, "params": form, "ti": ti})
    return sent


def test_whom_to_tell_is_read_from_the_spec_the_form_names(folder, monkeypatch):
    task = load().dags["everfit.rollback"].get_task("promote")
    news = {"kind": "promoted", "what": "version 1 is the champion again", "why": "x (ada)"}
    left = {"return_value": {**REGISTERED, "component": "promote", "summary": None, "news": [news]}}
    form = {"pipeline": "fares"}
    monkeypatch.setenv("EVERFIT_NOTIFY", "")
    assert told_by(task, form, folder, monkeypatch, **left) == []
    with (folder / "fares.yaml").open("a") as spec:
        spec.write("notify: ['apprise:team[promoted,reconciled]']\n")
    assert told_by(task, form, folder, monkeypatch, **left) == [
        ("fares", "promoted", "apprise:team")
    ]
    assert told_by(task, {"pipeline": "none"}, folder, monkeypatch, **left) == []


# From a form to an order.


def test_a_form_becomes_what_is_asked():
    assert requested_by_form(
        "rollback", {"version": " v3 ", "reason": " errors \n at night "}, "ada"
    ) == PersonRequest(what="rollback", version=3, reason="errors at night", person="ada")
    assert requested_by_form("promote", {"version": None, "run": "abcd", "reason": "x"}, "ada") == (
        PersonRequest(what="promote", run="abcd", reason="x", person="ada")
    )


@pytest.mark.parametrize(
    ("form", "part"),
    [
        ({"version": "3", "reason": ""}, "ORDER reason"),
        ({"version": "3", "reason": "\n"}, "ORDER reason"),
        ({"version": "3", "reason": "x" * 501}, "it has 501"),
        ({"reason": "x"}, "it names none"),
        ({"version": "3", "run": "abcd", "reason": "x"}, "it names both"),
        ({"version": "three", "reason": "x"}, "such as 3 or v3"),
        ({"version": "٣", "reason": "x"}, "such as 3 or v3"),
    ],
)
def test_a_slip_in_a_form_is_one_line(form, part):
    with pytest.raises(UserActionRequired, match=part) as slip:
        requested_by_form("promote", form, "ada")
    assert "\n" not in str(slip.value)


class Ti:
    def __init__(self, xcoms=None):
        self.id, self.xcoms, self.pushed = DIGEST, xcoms or {}, {}
        self.dag_id, self.run_id, self.task_id, self.map_index = "fares", "manual__1", "ask", -1

    def xcom_pull(self, task_ids):
        return self.xcoms.get(task_ids) if isinstance(task_ids, str) else []

    def xcom_push(self, key, value):
        self.pushed[key] = value


def context(ti=None, person=None, **form):
    ti = ti or Ti()
    return {
        "params": form,
        "ti": ti,
        "task_instance": ti,
        "dag_run": SimpleNamespace(
            run_type="manual",
            run_id="r",
            run_after=datetime(2026, 3, 2, tzinfo=UTC),
            logical_date=None,
            triggering_user_name=person,
        ),
    }


@pytest.fixture
def component(tmp_path, monkeypatch):
    """The components' Python as a script that keeps its order and leaves an outcome."""

    def make(summary: dict | None = None, code=0, line=""):
        outcome = {
            "component": "promote",
            "result": DIGEST,
            "key": DIGEST,
            "cached": False,
            "seconds": 1.0,
            "summary": summary,
        }
        (tmp_path / "outcome.json").write_text(json.dumps(outcome))
        path = tmp_path / "python"
        path.write_text(
            "#!/bin/bash\n"
            'while [ $# -gt 0 ]; do case "$1" in --order) order=$2;; --outcome) out=$2;; '
            f'esac; shift; done\ncp "$order" {tmp_path}/order.json\n'
            f'[ {code} = 0 ] && cp {tmp_path}/outcome.json "$out"\n'
            f"echo '{line}' >&2\nexit {code}\n"
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("EVERFIT_PYTHON", str(path))

    return make


def ordered(tmp_path) -> dict:
    return json.loads((tmp_path / "order.json").read_text())


@pytest.mark.parametrize(("person", "kept"), [("ada", "ada"), (None, "somebody"), ("", "somebody")])
def test_who_started_the_run_is_who_decides(folder, component, tmp_path, person, kept):
    component()
    task = ChampionOperator(
        task_id="promote", component="promote", what="rollback", folder=str(folder)
    )
    task.execute(context(person=person, pipeline="fares", version="2", reason="errors"))
    order = ordered(tmp_path)
    assert (order["component"], order["pipeline"]["name"]) == ("promote", "fares")
    assert order["requested"] == {
        "what": "rollback",
        "version": 2,
        "run": "",
        "reason": "errors",
        "person": kept,
    }


def test_a_pipeline_that_is_none_is_one_line_with_what_is_near(folder, component):
    component()
    task = ChampionOperator(task_id="x", component="reconcile", folder=str(folder))
    with pytest.raises(UserActionRequired, match="Did you mean 'fares'"):
        task.execute(context(pipeline="fare"))
    with pytest.raises(UserActionRequired, match="NAME"):
        task.execute(context(pipeline="../fares"))


def test_everything_is_reconciled_but_what_cannot_be_read(folder):
    (folder / "broken.yaml").write_text("task: [")
    (folder / "tips.yaml").write_text((folder / "fares.yaml").read_text())
    task = PipelinesOperator(task_id="pipelines", folder=str(folder))
    assert task.execute(context()) == ["fares", "tips"]
    assert task.execute(context(pipeline="tips")) == ["tips"]
    with pytest.raises(UserActionRequired):
        task.execute(context(pipeline="nothing"))


# The question of a training.

QUESTION = {
    "version": 3,
    "run_key": "cd" * 32,
    "champion": 2,
    "verdict": "promote",
    "because": "Better than champion v2 by the required 1.",
    "gain": "a gain of 2",
    "flip": "A gain below 1",
    "passed": 11,
    "more": 2,
    "not_passed": [
        {
            "title": "Slices",
            "code": "SLICE",
            "severity": "warning",
            "state": "not_assessed",
            "message": "12 rows",
            "flip": "188 more rows",
        }
    ],
    "report": {"name": "decision_report.html", "digest": DIGEST, "size": 9},
}


def registered(**further) -> dict:
    """What register has left: a version that waits, unless it is said to be otherwise."""
    return {
        "component": "register",
        "result": DIGEST,
        "key": DIGEST,
        "cached": False,
        "seconds": 1.0,
        "summary": summary("register", **{"version": 3, "awaits": "approval", **further}),
        "links": {"mlflow_run": "http://m/#/runs/1"},
    }


REGISTERED = registered()


def test_only_a_gate_that_asks_has_the_two_tasks(folder):
    def dag():
        return DagBag(str(REPOSITORY / "dags" / "everfit_pipelines.py"), safe_mode=False).dags[
            "fares.train"
        ]

    assert not {"approve", "promote"} & set(dag().task_ids)
    asks(folder)
    asking = dag()
    assert asking.get_task("register").downstream_task_ids == {"approve"}
    assert asking.get_task("approve").downstream_task_ids == {"promote"}
    assert "a person is asked" in asking.doc_md
    assert asking.get_task("approve").response_timeout is None


@pytest.fixture
def asked(monkeypatch):
    """What Airflow was told to ask."""
    from airflow.providers.standard.operators import hitl

    told = []
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **detail: told.append(detail))
    return told


def approving(folder) -> ApprovalOperator:
    asks(folder)
    return ApprovalOperator(task_id="approve", spec_file=str(folder / "fares.yaml"))


def test_a_version_that_waits_is_asked_about(folder, component, tmp_path, asked):
    from airflow.sdk.exceptions import TaskAwaitingInput

    component(summary("promote", version=3, state="waiting", question=QUESTION))
    task = approving(folder)
    ti = Ti({"register": REGISTERED})
    with pytest.raises(TaskAwaitingInput) as waits:
        task.execute(context(ti, reason="why the training was started"))
    assert waits.value.timeout is None
    assert ordered(tmp_path)["requested"]["what"] == "ask"
    assert ordered(tmp_path)["requested"]["version"] == 3
    (detail,) = asked
    assert detail["subject"] == "fares: shall version 3 become champion?"
    assert detail["options"] == ["Approve", "Refuse"]
    reason = detail["params"]["reason"]  # Airflow's form sends nothing while it is empty
    assert (reason["value"], reason["schema"]["type"]) == (None, "string")
    assert reason["schema"]["minLength"] == 1
    for part in (
        "Better than champion",
        "a gain of 2",
        "A gain below 1",
        "SLICE",
        "12 rows",
        "2 more",
    ):
        assert part in detail["body"]
    assert f"](</everfit/report/{DIGEST}>)" in detail["body"]
    assert "](<http://m/#/runs/1>)" in detail["body"]


@pytest.mark.parametrize(
    "left",
    [
        None,
        registered(awaits=""),
        registered(awaits="observe"),
        registered(version=None, awaits=""),
    ],
)
def test_where_nothing_waits_nobody_is_asked(folder, component, asked, left):
    component()
    ti = Ti({"register": left})
    with pytest.raises(AirflowSkipException):
        approving(folder).execute(context(ti))
    assert asked == []
    assert "no version of this run waits" in ti.pushed[BECAUSE]


def test_a_summary_that_was_left_out_is_no_reason_to_skip(folder, component, asked):
    component(summary("promote", version=3, state="waiting"))
    with pytest.raises(UserActionRequired, match=r"OUTCOME register: .*whether a version waits"):
        approving(folder).execute(context(Ti({"register": {**REGISTERED, "summary": None}})))
    with pytest.raises(UserActionRequired, match=r"OUTCOME promote: .*what a person is asked"):
        approving(folder).execute(context(Ti({"register": REGISTERED})))
    assert asked == []


def test_what_was_answered_elsewhere_is_skipped_with_the_line_that_says_so(
    folder, component, asked
):
    component(code=3, line="PROMOTE-NOTHING fares v3: it was refused by ada.")
    with pytest.raises(AirflowSkipException, match="refused by ada"):
        approving(folder).execute(context(Ti({"register": REGISTERED})))
    assert asked == []


def event(option, reason, user=None):
    return {
        "chosen_options": [option],
        "params_input": {"reason": reason},
        "responded_at": datetime(2026, 3, 2, tzinfo=UTC),
        "responded_by_user": user or {"id": "7", "name": "ada"},
        "timedout": False,
    }


def test_an_answer_is_handed_on_with_who_and_why(folder):
    task = approving(folder)
    assert task.execute_complete(context(), event("Approve", None)) == {
        "what": "approve",
        "reason": "",
        "person": "ada",
    }
    ti = Ti({})
    assert task.execute_complete(context(ti), event("Refuse", " not \n now ")) == {
        "what": "refuse",
        "reason": "not now",
        "person": "ada",
    }
    assert ti.pushed[BECAUSE] == "approve: ada answered refuse: not now"
    unnamed = task.execute_complete(context(), event("Approve", "x", {"id": "7", "name": ""}))
    assert unnamed["person"] == "7"


@pytest.mark.parametrize("answer", [("Refuse", ""), ("Refuse", None), ("Approve", "x" * 501)])
def test_a_refusal_without_a_reason_is_asked_again(folder, asked, answer):
    from airflow.sdk.exceptions import TaskAwaitingInput

    ti = Ti({})
    with pytest.raises(TaskAwaitingInput):
        approving(folder).execute_complete(context(ti), event(*answer))
    assert len(asked) == 1
    assert f"the answer {answer[0]!r} was not accepted" in ti.pushed[BECAUSE]


def test_an_option_that_is_none_is_no_answer(folder):
    with pytest.raises(ValueError, match="Maybe"):
        approving(folder).execute_complete(context(), event("Maybe", "x"))


def test_the_answer_is_the_order(folder, component, tmp_path):
    component()
    asks(folder)
    task = AnswerOperator(
        task_id="promote", component="promote", spec_file=str(folder / "fares.yaml")
    )
    answer = {"what": "refuse", "reason": "not now", "person": "ada"}
    task.execute(context(Ti({"register": REGISTERED, "approve": answer})))
    assert ordered(tmp_path)["requested"] == {
        "what": "refuse",
        "version": 3,
        "run": "",
        "reason": "not now",
        "person": "ada",
    }


HOSTILE = [
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![x](http://evil/x.png)",
    "**bold** _it_ `code` ~~gone~~",
    "http://evil.example and www.evil.example and <http://evil.example> and a@b.example",
    "&lt;b&gt; &amp; &#60;",
    "\n\n# head\n- item\n1. one\n> quote\n```\nx\n```\n| a | b |\n| - | - |",
    "{{ ti.xcom_pull() }} {% raw %}",
    "\\[x](y) \\\\<b>",
    "left\u202eright\x00\x1b[31m",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_users_wrote_is_shown_as_it_stands(text):
    question = Question.model_validate(
        {
            **QUESTION,
            "because": text,
            "gain": text + "!",
            "flip": text,
            "not_passed": [{**QUESTION["not_passed"][0], "title": text, "message": text}],
        }
    )
    plainly = Question.model_validate(
        {
            **QUESTION,
            "because": "a",
            "gain": "b",
            "flip": "c",
            "not_passed": [{**QUESTION["not_passed"][0], "title": "d", "message": "e"}],
        }
    )
    made = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    shown, wanted = (made.render(body("fares", one, [])) for one in (question, plainly))
    tags = [part.partition(">")[0] for part in shown.split("<")[1:]]
    assert tags == [part.partition(">")[0] for part in wanted.split("<")[1:]]
    visible = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    assert visible in unescape(shown)


def test_a_bare_address_is_no_link():
    assert "http\\://" in plain("see http://evil.example")
    assert "www\\." in plain("see www.evil.example")


def test_the_same_decision_is_asked_about_in_the_same_words():
    question = Question.model_validate(QUESTION)
    assert body("fares", question, [("a", "/b")]) == body("fares", question, [("a", "/b")])
    assert len(plain("x" * 5000)) == approval_module.LONGEST


# The tab of a run.


def test_the_tab_tells_what_was_decided_and_put_right():
    promoted = summary("promote", version=3, because="errors <b> (ada)")
    reconciled = summary(
        "reconcile",
        repaired=["@champion named v2"],
        for_a_person=["X fares: y"],
        repaired_total=1,
        for_a_person_total=30,
    )
    decided = [
        PromoteSummary.model_validate(promoted),
        ReconcileSummary.model_validate(reconciled),
    ]
    assert run_tab(RunSoFar(decided=decided), readable=True)["decisions"] == [
        ["Version 3 is the champion", "errors <b> (ada)"],
        [
            "fares: 1 repaired, 30 for a person",
            "repaired: @champion named v2",
            "X fares: y",
            "and 29 more, in the log",
        ],
    ]


def test_building_them_needs_no_more_than_a_folder(tmp_path):
    assert sorted(dag.dag_id for dag in champion_dags(tmp_path)) == NAMES
