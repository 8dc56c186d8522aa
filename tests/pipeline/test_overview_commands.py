"""``status``, ``runs``, ``compare``, ``plan`` and ``run --if-due`` on a pipeline that has lived."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from everfit.champion.version.dossier import dossier_digest
from everfit.cli.command import load, names
from everfit.data.example.trips import month_csv
from everfit.engine.context import open_context
from everfit.storage.store import blob_key
from tests.json_shapes import mismatch
from tests.world import settings_in

# MLflow's own store, on the SQLAlchemy that is pinned here.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload``:DeprecationWarning")


def records(root: Path) -> list[object]:
    """All that a command which changes nothing must leave as it is."""
    with open_context(settings_in(root)) as context:
        ledger = context.ledger
        return [
            ledger.evaluations("quick", 1000),
            ledger.find_runs("quick"),
            ledger.verdicts("quick"),
            ledger.spans("quick"),
            ledger.holdout_evaluations("quick", "fare_amount"),
            ledger.history("quick"),
        ]


def keys(root: Path) -> list[str]:
    """Of the runs, oldest first: promoted, promoted, held."""
    with open_context(settings_in(root)) as context:
        return [run.run_key for run in context.ledger.find_runs("quick")]


def change_spec(root: Path, **values: object) -> None:
    path = root / "dags" / "pipelines" / "quick.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **values}))


def month(root: Path, number: int) -> None:
    """As ``World.months`` delivers it."""
    text = month_csv(2018, number, 500, seed=3)
    (root / "data" / "trips" / f"2018-{number:02d}.csv").write_text(text)


def report_of(root: Path, run_key: str) -> dict[str, object]:
    """The decision's report, read from the store by hand."""
    with open_context(settings_in(root)) as context:
        decision = json.loads(context.store.get(context.ledger.verdict(run_key).decision))
        return json.loads(context.store.get(decision["report_json"]["digest"]))


def test_status_shows_each_pipeline_and_changes_nothing(checkout, everfit) -> None:
    before = records(checkout)
    code, out, err = everfit("status")
    assert (code, err) == (0, "")
    assert out.startswith("quick\n  champion        v2, for ")
    for part in (
        "  monitoring      nothing measured since its promotion\n",
        "  last verdict    hold, ",
        "  next training   not due: the pipeline has no triggers: a person starts it\n",
        " in 3 runs of the last 30 days\n",
    ):
        assert part in out
    (found,) = json.loads(everfit("status", "--json")[1])
    score = report_of(checkout, keys(checkout)[1])["scores"]["candidate"]["mae"]["value"]
    assert found["champion"]["judged"] == score
    assert (found["last_verdict"]["verdict"], found["next"]["decision"]) == ("hold", "idle")
    spent = sum(report_of(checkout, key)["budget"]["evaluation"]["alpha"] for key in keys(checkout))
    assert found["false_promotions"]["used"] == pytest.approx(spent)
    lines = everfit("status", "--short")[1].splitlines()
    assert lines[1].split()[:2] == ["quick", "v2"]
    assert lines[1].endswith("not due")
    assert records(checkout) == before


def test_status_says_what_holds_a_training_back_and_who_is_waited_for(checkout, everfit) -> None:
    change_spec(
        checkout,
        triggers={
            "any": [{"new_data": {"min_spans": 1}}],
            "cooldown": "6h",
            "budget": {"trainings": 5, "per": "7d"},
        },
    )
    month(checkout, 6)
    out = everfit("status", "quick")[1]
    assert (
        "  next training   due, but held back: new_data: 1 new span: 2018-06.csv, but it is" in out
    )
    assert "  trainings       3 of 5 in 7d\n" in out
    assert out.count("UTC") == 1


def test_a_pipeline_whose_yaml_is_broken_or_gone_is_shown_all_the_same(checkout, everfit) -> None:
    change_spec(checkout, tarket="x")
    code, out, _ = everfit("status")
    assert code == 0
    assert re.search(r"  problem         SPEC quick\.yaml:\d+: tarket: ", out)
    assert "  champion        v2, for " in out
    (checkout / "dags" / "pipelines" / "quick.yaml").unlink()
    (found,) = json.loads(everfit("status", "--json")[1])
    assert (found["next"], found["champion"]["version"]) == (None, 2)
    assert found["problem"].startswith("NAME quick: ")
    assert everfit("status", "quik")[0] == 2


def test_a_price_tells_work_in_money(everfit, monkeypatch) -> None:
    monkeypatch.setenv("EVERFIT_CPU_HOUR_PRICE", "3600 EUR")  # a CPU second costs one
    (found,) = json.loads(everfit("status", "quick", "--json")[1])
    assert found["cost"]["money"] == f"{found['cost']['cpu_seconds']:,.2f} EUR"
    first = json.loads(everfit("runs", "quick", "--json")[1])[0]
    line = everfit("runs", "quick")[1].splitlines()[1]
    assert line.endswith(f" CPU s, {first['cpu_seconds']:,.2f} EUR")
    assert f", {found['cost']['money']} in 3 runs" in everfit("status", "quick")[1]
    monkeypatch.setenv("EVERFIT_CPU_HOUR_PRICE", "cheap")
    assert everfit("runs", "quick")[0] == 2


def test_runs_have_verdict_gain_duration_and_cost(checkout, everfit) -> None:
    code, out, _ = everfit("runs", "quick")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["run", "opened", "(UTC)", "verdict", "gain", "took", "cost"]
    assert [line.split()[0] for line in lines[1:4]] == [key[:12] for key in keys(checkout)]
    assert [line.split()[3:5] for line in lines[1:3]] == [["promote", "v1"], ["promote", "v2"]]
    assert "(champion)" in lines[2]
    assert lines[3].split()[3] == "hold"
    found = json.loads(everfit("runs", "--json")[1])
    for one, key in zip(found, keys(checkout), strict=True):
        report = report_of(checkout, key)
        compared = report["comparison"]
        assert one["gain"]["value"] == compared["gain"]["value"]
        assert one["gain"]["score"] == compared["candidate_score"]
        assert one["cpu_seconds"] == pytest.approx(sum(c["cpu_seconds"] for c in report["cost"]))
        assert one["seconds"] > 0


def test_runs_can_be_chosen(checkout, everfit) -> None:
    def chosen(*options: str) -> list[str]:
        return [run["run_key"] for run in json.loads(everfit("runs", *options, "--json")[1])]

    first, second, third = keys(checkout)
    assert chosen() == [first, second, third]
    assert chosen("--verdict", "hold") == [third]
    assert chosen("quick", "--verdict", "promote", "--limit", "1") == [second]
    assert chosen("--since", "2018-01") == [first, second, third]
    assert chosen("--since", "2999-01-01") == []
    with open_context(settings_in(checkout)) as context:
        opened = context.ledger.run(second).at
    assert chosen("--since", opened) == [second, third]
    assert everfit("runs", "quick", "--since", "2999-01")[1] == "quick has no such run.\n"
    code, _, err = everfit("runs", "--since", "yesterday")
    assert (code, err.startswith("TIME --since: ")) == (2, True)


def test_a_run_whose_report_is_gone_is_listed_without_gain(checkout, everfit) -> None:
    with open_context(settings_in(checkout)) as context:
        decision = context.ledger.verdict(keys(checkout)[2]).decision
        (context.store.root / blob_key(decision)).unlink()
    assert everfit("runs", "quick")[1].splitlines()[3].split()[3:5] == ["hold", "–"]


def test_two_runs_are_compared_by_spec_spans_and_scores(checkout, everfit) -> None:
    first, second, third = keys(checkout)
    code, out, _ = everfit("compare", first[:8], "quick:champion")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["quick", "v1", "quick", "v2"] in lines
    assert ["spans", "to", "train", "on", "2", "3"] in lines
    assert ["only", "there", "-", "2018-03.csv"] in lines
    assert "They were judged on different rows: their scores cannot be compared." in out
    found = json.loads(everfit("compare", "quick:1", "quick:v2", "--json")[1])
    dropped = {one["name"]: (one["first"], one["second"]) for one in found["spec"]}
    assert set(dropped["features.drop"][0]) - set(dropped["features.drop"][1]) == {"trip_distance"}
    for side, key in (("first", first), ("second", second)):
        scores = report_of(checkout, key)["scores"]["candidate"]
        told = {pair["metric"]: pair[side] for pair in found["scores"]}
        assert told == {metric: one["value"] for metric, one in scores.items()}
    assert (found["comparable"], found["same_code"], found["environment"]) == (False, True, [])
    held = json.loads(everfit("compare", second, third, "--json")[1])
    assert [one["name"] for one in held["spec"]] == ["train.seed"]
    same = json.loads(everfit("compare", "quick:1", first, "--json")[1])
    assert (same["comparable"], same["spec"], same["window"]["first_only"]) == (True, [], [])


@pytest.mark.parametrize(
    ("run", "part"),
    [
        ("zz", "CHAMPION-RUN run zz: "),
        ("ab", "0 match"),
        ("", "CHAMPION-RUN run ?: "),
        ("quick:9", "there is v2, v1"),
        ("quick:new", "CHAMPION-NUMBER version"),
        ("quik:1", "CHAMPION-UNKNOWN quik v1"),
        ("quik:champion", "CHAMPION-NONE quik: "),
    ],
)
def test_a_run_that_is_none_is_one_line(checkout, everfit, run, part) -> None:
    code, out, err = everfit("compare", "quick:1", run)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert part in err


def test_a_run_without_verdict_or_record_is_not_compared(checkout, everfit) -> None:
    with open_context(settings_in(checkout)) as context:
        run = context.ledger.run(keys(checkout)[0])
        context.ledger.open_run("quick", run.model_copy(update={"run_key": "0" * 64}))
    code, _, err = everfit("compare", "quick:1", "00000000")
    assert (code, "COMPARE-UNDECIDED quick run 000000000000" in err) == (2, True)
    blobs = checkout / ".everfit" / "store" / "blobs"
    with open_context(settings_in(checkout)) as context:
        known = [dossier_digest(key, context.ledger) for key in keys(checkout)]
    gone = [path for path in blobs.rglob("*") if path.name in known]
    assert gone
    for path in gone:
        path.unlink()
    code, _, err = everfit("compare", "quick:1", "quick:2")
    assert (code, "COMPARE-GONE quick run " in err) == (2, True)


def test_plan_says_what_a_run_would_do_and_records_nothing(checkout, everfit) -> None:
    before = records(checkout)
    code, out, _ = everfit("plan", "quick")
    assert code == 0
    assert out.startswith(
        "everfit run quick would do nothing now.\n  because         nothing changed:"
    )
    month(checkout, 6)
    out = everfit("plan", "quick")[1]
    assert out.startswith("everfit run quick would train now.\n")
    for part in (
        "  trains on       2018-03.csv, 2018-04.csv, 2018-05.csv\n",
        "  judges on       2018-06.csv\n",
        "  compared with   v2\n",
        "a person starts it",
    ):
        assert part in out
    wide = json.loads(everfit("plan", "quick", "--window", "all", "--json")[1])
    assert wide["window"] == [f"2018-0{number}.csv" for number in range(1, 6)]
    assert (wide["holdout"], wide["champion"], wide["run_key"]) == (["2018-06.csv"], 2, None)
    assert records(checkout) == before


def test_plan_forces_what_force_forces(checkout, everfit) -> None:
    found = json.loads(everfit("plan", "quick", "--force", "--json")[1])
    assert (found["decision"], found["run_key"]) == ("train", keys(checkout)[2])
    assert found["because"].startswith("forced: ")


def test_if_due_runs_when_the_triggers_say_so_and_ends_with_3_when_not(checkout, everfit) -> None:
    code, out, err = everfit("run", "quick", "--if-due")
    assert (code, err) == (3, "")
    assert out.startswith("Nothing is due. PLAN-IDLE quick: the pipeline has no triggers")
    change_spec(checkout, triggers={"any": [{"new_data": {"min_spans": 1}}]})
    code, out, _ = everfit("run", "quick", "--if-due", "--json")
    assert code == 3
    assert list(json.loads(out)) == ["nothing_to_do"]
    month(checkout, 6)
    code, out, _ = everfit("run", "quick", "--if-due", "--reason", "cron", "--json")
    done = json.loads(out)
    assert code == 0
    assert mismatch(done, load("run").answer()) is None
    assert [step["step"] for step in done["steps"]][-2:] == ["gate", "register"]
    with open_context(settings_in(checkout)) as context:
        newest = context.ledger.runs("quick", 1)[0]
    assert (newest.trigger.run_type, newest.trigger.reason) == ("scheduled", "cron")
    assert everfit("run", "quick", "--if-due")[0] == 3


ELSEWHERE = {
    "approve": "test_champion_commands.py",
    "changed": "../unit/delivery/test_changed.py",
    "chaos": "test_chaos.py",
    "demo": "test_overview_commands.py",
    "deploy": "test_overview_commands.py",
    "explore": "../unit/exploring/test_explore.py",
    "init": "../unit/new_repository/test_init.py",
    "refuse": "test_champion_commands.py",
    "replay": "test_replay.py",
    "reproduce": "test_reproduce.py",
    "restore": "../unit/backup/test_backup.py",
    "run": "test_overview_commands.py",
    "sample": "test_sample.py",
    "serve": "test_serving.py",
    "ui": "test_ui.py",
}
"""Commands whose JSON is checked in a test of their own: they need another world."""

CALLS = {
    "backup": ["--to", "{folder}/backups"],
    "bundle": ["--to", "{folder}/bundle"],
    "champion": ["quick"],
    "check": [],
    "compare": ["quick:1", "quick:2"],
    "completion": ["bash"],
    "deployed": ["--at", "file://{folder}/deployed"],
    "doctor": [],
    "example": ["--months", "1", "--rows", "10"],
    "explain": ["quick"],
    "history": ["quick"],
    "monitor": ["quick"],
    "plan": ["quick"],
    "promote": ["quick", "--to", "1", "--reason", "to see"],
    "prune": ["quick"],
    "reconcile": ["quick"],
    "rollback": ["quick", "--to", "1", "--reason", "to see"],
    "runs": [],
    "schema": ["quick", "--spans", "1", "--to", "{folder}/schema.yaml"],
    "score": ["quick", "--output", "{folder}/scores/"],
    "status": [],
    "triggers": ["quick"],
}


def test_the_json_of_every_command_is_checked_somewhere() -> None:
    assert sorted([*CALLS, *ELSEWHERE]) == names()
    for name, file in ELSEWHERE.items():
        text = (Path(__file__).parent / file).read_text()
        assert f'load("{name}").answer()' in text


@pytest.mark.parametrize("name", sorted(CALLS))
def test_json_is_one_document_of_the_shape_that_is_documented(name, checkout, everfit, tmp_path):
    month(checkout, 6)
    words = [word.format(folder=tmp_path) for word in CALLS[name]]
    code, out, _ = everfit(name, *words, "--json")
    assert code == 0
    assert mismatch(json.loads(out), load(name).answer()) is None


def test_the_demo_answers_as_the_run_that_it_makes() -> None:
    assert load("demo").answer() is load("run").answer()


def test_deploying_as_json(checkout, everfit, tmp_path) -> None:
    everfit("bundle", "--to", str(tmp_path / "bundle"))
    words = ["deploy", "--to", f"file://{tmp_path}/deployed", "--bundle", str(tmp_path / "bundle")]
    for more in ([], ["--apply"], ["--apply"]):
        code, out, _ = everfit(*words, *more, "--json")
        assert code == 0
        assert mismatch(json.loads(out), load("deploy").answer()) is None
    code, out, _ = everfit("deployed", "--at", f"file://{tmp_path}/deployed", "--json")
    assert mismatch(json.loads(out), load("deployed").answer()) is None
    assert [one["number"] for one in json.loads(out)] == [1]
