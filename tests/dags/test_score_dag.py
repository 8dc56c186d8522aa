"""The scoring DAG: only where a spec has a ``score`` block, when it runs, what its form asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import AssetAny, AssetOrTimeSchedule, CronTriggerTimetable
from airflow.sdk.exceptions import AirflowSkipException, ParamValidationError

from everfit.contracts.messages.scoring import ScoreOptions
from everfit.contracts.messages.summaries import ScoreSummary
from everfit.contracts.runners import Connections
from everfit.contracts.spec.load import load_spec
from everfit_airflow.dags.assets import champion_alias, champion_asset
from everfit_airflow.dags.champion_dags import champion_dags
from everfit_airflow.dags.schedules import scoring_schedule
from everfit_airflow.dags.score_dag import FORM
from everfit_airflow.operators.failures import UserActionRequired
from everfit_airflow.operators.orders import scoring_by_form
from everfit_airflow.security.credentials import credentials
from everfit_airflow.ui.run_tab import RunSoFar, run_tab
from tests.dags.tasks import OUTCOME, context, leave, task
from tests.summaries import summary

REPOSITORY = Path(__file__).resolve().parents[2]
DAG_FILE = REPOSITORY / "dags" / "everfit_pipelines.py"
EVERYTHING = """
score:
  input: sql:warehouse:waiting
  output: sql:lake:scores
  version: challenger
  schedule: "0 5 * * *"
  on: [champion]
"""


@pytest.fixture
def scoring(folder):
    """Gives a function that adds a ``score`` block to the pipeline."""

    def add(block: str = "score: {output: '{data}/scores'}\n"):
        path = folder / "fares.yaml"
        path.write_text(path.read_text() + block)
        return load_spec(path)

    return add


def dags() -> dict:
    bag = DagBag(str(DAG_FILE), safe_mode=False)
    assert bag.import_errors == {}
    return bag.dags


def outlets(task_of_dag) -> list[str]:
    return [outlet.name for outlet in task_of_dag.outlets]


def test_without_a_block_nothing_is_there(folder):
    built = dags()
    assert sorted(built) == ["fares.monitor", "fares.train"]
    assert not built["fares.train"].get_task("register").outlets
    assert not built["fares.monitor"].get_task("extract").outlets
    assert "score" not in load_spec(folder / "fares.yaml").model_dump()


def test_it_is_one_task_that_a_person_starts(scoring):
    scoring()
    dag = dags()["fares.score"]
    assert (dag.schedule, dag.max_active_runs, dag.catchup) == (None, 1, False)
    (task_of_dag,) = dag.tasks
    assert (task_of_dag.task_id, task_of_dag.component) == ("score", "score")
    assert outlets(task_of_dag) == ["fares.predictions"]
    assert dag.tags == {"everfit", "score", "regression", "taxi"}
    assert "- **Output** `{data}/scores`" in dag.doc_md
    assert "- **Triggered by** a person\n" in dag.doc_md
    assert dag.params.validate() == dict.fromkeys(FORM)


def test_it_runs_at_its_schedule_and_when_a_version_becomes_champion(scoring):
    spec = scoring(EVERYTHING)
    when = scoring_schedule(spec)
    assert isinstance(when, AssetOrTimeSchedule)
    assert [asset.uri for asset in when.asset_condition.objects] == ["everfit://fares/champion"]
    assert when.timetable.expression == "0 5 * * *"
    assert "Europe/Berlin" in str(when.timetable.timezone)
    built = dags()
    assert outlets(built["fares.train"].get_task("register")) == ["everfit.champions"]
    assert not built["fares.monitor"].get_task("extract").outlets
    page = built["fares.score"].doc_md
    assert "person, a tick of `0 5 * * *` (Europe/Berlin), a new champion\n" in page


def test_a_fall_back_is_news_too(scoring, folder):
    spec = (folder / "fares.yaml").read_text().replace("extra_trees]", "extra_trees], refit: true")
    (folder / "fares.yaml").write_text(spec)
    scoring(EVERYTHING)
    assert outlets(dags()["fares.monitor"].get_task("fall_back")) == ["everfit.champions"]


def test_it_runs_on_spans_that_monitoring_has_read(scoring):
    spec = scoring("score: {output: out, on: [new_spans]}\n")
    when = scoring_schedule(spec)
    assert isinstance(when, AssetAny)
    assert [asset.uri for asset in when.objects] == ["everfit://fares/new_spans"]
    assert outlets(dags()["fares.monitor"].get_task("extract")) == ["fares.new_spans"]


def test_a_schedule_alone_is_a_timetable(scoring):
    when = scoring_schedule(scoring("score: {output: out, schedule: '@daily'}\n"))
    assert isinstance(when, CronTriggerTimetable)


def test_a_tasks_process_builds_it_alone(scoring, monkeypatch):
    scoring()
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "fares.score")
    assert list(dags()) == ["fares.score"]


@pytest.mark.parametrize(
    ("form", "good"),
    [
        ({"spans": "1", "version": "v7", "as_of": "2026-03-31"}, True),
        ({"spans": "all", "version": "challenger", "input": "new/*.csv"}, True),
        ({"spans": "0"}, False),
        ({"version": "newest"}, False),
        ({"output": "x" * 2001}, False),
    ],
)
def test_the_form_takes_what_an_order_can_carry(scoring, form, good):
    scoring()
    fields = dags()["fares.score"].params
    try:
        for name, value in form.items():
            fields.get_param(name).resolve(value)
    except ParamValidationError:
        assert not good
    else:
        assert good


def test_a_form_becomes_the_orders_options(scoring):
    spec = scoring(EVERYTHING)
    assert scoring_by_form(dict.fromkeys(FORM), spec) is None
    form = {"spans": " 2 ", "output": "sql:lake:other", "version": "7", "as_of": "", "input": None}
    assert scoring_by_form(form, spec) == ScoreOptions(
        spans=2, output="sql:lake:other", version="7"
    )


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"spans": "few"}, "ORDER spans: "),
        ({"output": "sql:vault:t"}, r"a connection of the spec \(warehouse, lake\); found 'vault'"),
        ({"output": "postgresql://u:secret@h/d"}, "an address holds no credentials"),
        ({"version": "newest"}, "ORDER version: "),
    ],
)
def test_a_form_that_asks_too_much_is_refused_in_one_line(scoring, form, told):
    spec = scoring(EVERYTHING)
    with pytest.raises(UserActionRequired, match=told) as raised:
        scoring_by_form(form, spec)
    assert "secret" not in str(raised.value)


def test_it_gets_the_connections_of_its_addresses_and_no_other_task_does(scoring):
    spec = scoring(EVERYTHING)
    environ = {f"EVERFIT_CONN_{name}": "sqlite://" for name in ("WAREHOUSE", "LAKE", "VAULT")}
    given = credentials(spec, "score", Connections(), environ)
    assert sorted(given) == ["EVERFIT_CONN_LAKE", "EVERFIT_CONN_WAREHOUSE"]
    assert credentials(spec, "extract", Connections(), environ) == {}


def test_the_task_hands_the_form_on_and_gives_the_outcome(scoring, folder, component, tmp_path):
    scoring()
    outcome = {**OUTCOME, "component": "score", "summary": summary("score")}
    component(f'cp "$order" {tmp_path}/seen.json\n' + leave(outcome))
    done = task(folder, "score").execute(context(spans="3"))
    assert done["summary"]["rows"] == 3
    order = json.loads((tmp_path / "seen.json").read_text())
    assert (order["component"], order["scoring"]["spans"]) == ("score", 3)
    assert order["pipeline"]["score"]["output"] == "{data}/scores"


def test_where_all_is_scored_the_task_is_skipped(scoring, folder, component):
    scoring()
    component("echo 'SCORE-DONE fares: all 2 spans were scored before.' >&2; exit 3\n")
    with pytest.raises(AirflowSkipException, match="SCORE-DONE"):
        task(folder, "score").execute(context())


@pytest.mark.parametrize(
    ("component_name", "told", "made"),
    [
        ("register", {"version": 4, "champion": 4}, 4),
        ("register", {"version": 4, "champion": 3, "awaits": "approval"}, None),
        ("register", {"version": None, "champion": 3}, None),
        ("promote", {"version": 2, "champion": 2}, 2),
        ("fall_back", {"champion": 2, "before": 3}, 2),
        ("fall_back", {"champion": 3, "before": None}, None),
        ("promote", {"version": 2, "champion": 3, "state": "refused"}, None),
    ],
)
def test_a_new_champion_is_an_event_where_it_is_scored_by(
    scoring, folder, component, component_name, told, made
):
    scoring(EVERYTHING)
    left = summary(component_name, **told)
    component(leave({**OUTCOME, "component": component_name, "summary": left}))
    given = context()
    task(folder, component_name, reads=(), outlets=[champion_alias()]).execute(given)
    events = given["outlet_events"][champion_alias()].asset_alias_events
    found = [(event.dest_asset_key.uri, event.extra) for event in events]
    assert found == ([(champion_asset("fares").uri, {"version": made})] if made else [])


def test_a_person_who_promotes_may_wake_it_too(folder):
    for dag in champion_dags(folder):
        if dag.dag_id != "everfit.reconcile":
            assert outlets(dag.get_task("promote")) == ["everfit.champions"]


def test_the_tab_shows_what_was_scored():
    done = ScoreSummary(**summary("score", versions=(7,), unscored=2, notes=("a: odd",)))
    assert run_tab(RunSoFar(decided=[done]), readable=True)["decisions"] == [
        [
            "1 span with 3 rows scored by v7",
            "output: s3://models/scores",
            "2 rows without a finite prediction",
            "a: odd",
        ]
    ]
