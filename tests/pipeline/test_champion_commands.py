"""The champion's commands on a real pipeline: v1 without the distance, v2 with it, a run held."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from everfit.champion.overrule import this_person
from everfit.cli import main
from everfit.cli.command import load
from everfit.contracts.errors import NothingToDo
from everfit.data.example.trips import month_csv
from everfit.engine.context import open_context
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import RemovalRecord
from everfit.storage.mlflow import champion_alias, open_registry
from everfit.storage.store import blob_key
from tests.json_shapes import mismatch
from tests.world import World, settings_in

# MLflow's own store, on the SQLAlchemy that is pinned here.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload``:DeprecationWarning")

ME = this_person()


@pytest.fixture
def client(checkout: Path):
    """MLflow's own client: a hand that does as it likes."""
    from mlflow import MlflowClient

    uri = settings_in(checkout).mlflow
    return MlflowClient(uri, uri)


def journal(root: Path) -> list[tuple[int, str]]:
    with open_context(settings_in(root)) as context:
        return [(entry.version, entry.kind) for entry in context.ledger.history("quick")]


def alias(root: Path) -> int | None:
    return champion_alias(settings_in(root), "quick")


BEFORE = [(1, "promote"), (2, "promote")]


def test_the_champion_is_told_with_since_why_and_what_it_is(checkout, everfit) -> None:
    with open_context(settings_in(checkout)) as context:
        first, second = context.ledger.history("quick")
        model = context.ledger.version(second.run_key).champion.model.digest
    code, out, _ = everfit("champion", "quick")
    assert code == 0
    assert out.startswith("quick v2\n")
    for part in (second.run_key, model, "Better than champion v1", "everfit explain quick"):
        assert part in out
    assert everfit("champion", "quick", "--at", first.at)[1].startswith("quick v1\n")
    assert (
        "quick had no champion at 1999-12-31"
        in everfit("champion", "quick", "--at", "1999-12-31")[1]
    )
    told = json.loads(everfit("champion", "quick", "--at", first.at, "--json")[1])
    assert (told["version"], told["until"]) == (1, second.at)
    assert everfit("champion", "quick", "--at", "1999-12-31", "--json")[1] == "null\n"


def test_the_history_has_every_reason_and_outlives_the_spec(checkout, everfit) -> None:
    everfit("rollback", "quick", "--to", "1", "--reason", "distances come late", "--by", "ada")
    (checkout / "dags" / "pipelines" / "quick.yaml").unlink()
    code, out, _ = everfit("history", "quick")
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 4)
    assert lines[1].split()[3:5] == ["v1", "promote"]
    assert lines[3].split()[3:5] == ["v1", "rollback"]
    assert lines[3].endswith(f"distances come late (for ada) ({ME})")
    told = json.loads(everfit("history", "quick", "--json")[1])
    assert [t["kind"] for t in told] == ["promote", "promote", "rollback"]
    assert told[0]["model"] == told[2]["model"] != told[1]["model"]


def test_looking_costs_no_heavy_library(checkout) -> None:
    import os
    import subprocess
    import sys

    text = (
        "import sys; from everfit.cli import main; main(sys.argv[1:]);"
        "heavy = {'numpy', 'mlflow', 'pandas', 'pyarrow', 'sklearn', 'sqlalchemy', 'matplotlib'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    for command in ("champion", "history", "explain"):
        done = subprocess.run(
            [sys.executable, "-c", text, command, "quick"],
            env=dict(os.environ),
            check=False,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_explain_writes_the_report_of_the_champion_a_version_or_any_run(checkout, everfit) -> None:
    with open_context(settings_in(checkout)) as context:
        held = context.ledger.runs("quick")[0].run_key
    reports = checkout / ".everfit" / "reports" / "quick"
    assert everfit("explain", "quick")[1].endswith(f"report  {reports}/v2/decision_report.html\n")
    assert everfit("explain", "quick", "v1")[1].startswith("PROMOTE  Better than the median")
    code, out, _ = everfit("explain", "quick", "--run", held[:8])
    assert code == 0
    assert out.startswith("HOLD  Undecided")
    assert "✗ Gain over the baseline (GAIN, error, failed)" in out
    document = json.loads((reports / held[:12] / "decision_report.json").read_bytes())
    assert (document["run_key"], document["verdict"]) == (held, "hold")
    assert b"<html" in (reports / "v1" / "decision_report.html").read_bytes()


def test_back_and_forth_by_hand_and_the_alias_follows(checkout, everfit) -> None:
    code, out, _ = everfit("rollback", "quick", "--to", "v1", "--reason", "distances come late")
    assert code == 0
    assert "quick v1 is champion now, after v2" in out
    assert alias(checkout) == 1
    assert everfit("promote", "quick", "--to", "2", "--reason", "they are on time again")[0] == 0
    assert alias(checkout) == 2
    code, out, _ = everfit("promote", "quick", "--to", "2", "--reason", "once more")
    assert (code, "is champion already" in out) == (0, True)
    assert journal(checkout) == [*BEFORE, (1, "rollback"), (2, "override")]
    assert everfit("reconcile", "quick")[0] == 0


def test_a_run_after_a_rollback_is_compared_with_the_champion_of_now(checkout, everfit) -> None:
    everfit("rollback", "quick", "--to", "1", "--reason", "to see")
    with open_context(settings_in(checkout)) as context:
        world = World(context)
        world.spec = _spec(checkout)
        with pytest.raises(NothingToDo, match="nothing changed"):
            world.run()
        world.months(6)
        outcomes = world.run()
        assert world.result(outcomes, "evaluate").baseline == "champion v1"
        assert world.result(outcomes, "register").version == 3
    assert journal(checkout) == [*BEFORE, (1, "rollback"), (3, "promote")]


def _spec(root: Path):
    import yaml

    return yaml.safe_load((root / "dags" / "pipelines" / "quick.yaml").read_text())


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["promote", "quick", "--to", "9", "--reason", "x"], "there is v2, v1. Name one of these"),
        (["promote", "quick", "--to", "new", "--reason", "x"], "CHAMPION-NUMBER version"),
        (["promote", "quick", "--run", "zz", "--reason", "x"], "CHAMPION-RUN"),
        (["approve", "quick", "2"], "CHAMPION-WAITS quick v2"),
        (["refuse", "quick", "9", "--reason", "x"], "there is v2, v1"),
        (["rollback", "quick", "--to", "1", "--reason", "  "], "CHAMPION-REASON --reason"),
        (["promote", "quik", "--to", "1", "--reason", "x"], "Did you mean 'quick'"),
        (["champion", "quik"], "Did you mean 'quick'"),
        (["reconcile", "quik"], "Did you mean 'quick'"),
        (["champion", "quick", "--at", "noon"], "CHAMPION-TIME --at"),
        (["explain", "quick", "3"], "there is v2, v1"),
        (["explain", "quick", "1", "--run", "ab"], "EXPLAIN-WHICH"),
        (["explain", "quick", "--run", "zz"], "0 match"),
    ],
)
def test_mistakes_are_one_line_and_change_nothing(checkout, everfit, arguments, part) -> None:
    code, _, err = everfit(*arguments)
    assert code == 2
    assert part in err
    assert err.count("\n") == 1
    assert journal(checkout) == BEFORE


def held_run(root: Path) -> str:
    with open_context(settings_in(root)) as context:
        return context.ledger.runs("quick")[0].run_key


def test_a_held_run_is_made_champion_by_its_key(checkout, everfit, client) -> None:
    held = held_run(checkout)
    told = ("--reason", "finance wants the seed", "--by", "ada")
    code, out, _ = everfit("promote", "quick", "--run", held[:8], *told)
    assert code == 0
    assert "quick v3 is champion now, after v2" in out
    assert "loads    its libraries are those installed here" in out
    assert journal(checkout) == [*BEFORE, (3, "override")]
    assert alias(checkout) == 3
    shown = client.get_model_version("quick", "3")
    assert shown.tags["everfit.run_key"] == held
    assert shown.description.startswith("hold: ")
    assert shown.description.endswith(f"Overruled: finance wants the seed (for ada) ({ME})")
    assert everfit("explain", "quick", "3")[1].startswith("HOLD  ")
    assert "is champion already" in everfit("promote", "quick", "--run", held[:8], *told)[1]
    assert everfit("reconcile", "quick")[0] == 0
    assert everfit("rollback", "quick", "--to", "2", "--reason", "back")[0] == 0
    assert everfit("promote", "quick", "--to", "3", "--reason", "and forth")[0] == 0
    assert [version for version, _ in journal(checkout)] == [1, 2, 3, 2, 3]


@pytest.mark.parametrize("cut_at", ["intend_registration", "record_version", "promote"])
def test_cut_off_while_a_held_run_is_promoted_the_same_command_finishes(
    checkout, everfit, client, monkeypatch, cut_at
) -> None:
    class Cut(BaseException):
        pass

    def cut(*_) -> None:
        raise Cut

    held = held_run(checkout)
    told = ("promote", "quick", "--run", held, "--reason", "once", "--by", "ada")
    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(Ledger, cut_at, cut)
        everfit(*told)
    assert journal(checkout) == BEFORE
    assert alias(checkout) == 2
    assert everfit(*told)[0] == 0
    assert journal(checkout) == [*BEFORE, (3, "override")]
    assert alias(checkout) == 3
    assert len(client.search_model_versions("name = 'quick'")) == 3
    assert everfit("reconcile", "quick")[0] == 0


def test_each_family_is_a_nested_run_with_a_curve_over_its_trials(checkout, client) -> None:
    experiment = client.get_experiment_by_name("quick").experiment_id
    runs = client.search_runs([experiment])
    trained = [run for run in runs if "everfit.run_key" in run.data.tags]
    assert len(trained) == 3
    for run in trained:
        path = client.download_artifacts(run.info.run_id, "trials.json")
        tried = json.loads(Path(path).read_text())
        below = [one for one in runs if one.data.tags.get("mlflow.parentRunId") == run.info.run_id]
        assert sorted(one.info.run_name for one in below) == sorted(tried)
        assert run.data.params["families"].split(",") == list(tried)
        for one in below:
            trials = tried[one.info.run_name]
            curve = client.get_metric_history(one.info.run_id, "trial/cv_score")
            assert [point.value for point in curve] == [trial["score"] for trial in trials]
            assert [point.step for point in curve] == list(range(1, len(trials) + 1))
            assert one.data.metrics["cv_score"] in [trial["score"] for trial in trials]


def test_a_run_that_mlflow_lost_or_nobody_judged_is_not_promoted(checkout, everfit, client) -> None:
    held = held_run(checkout)
    with open_context(settings_in(checkout)) as context:
        run = context.ledger.run(held)
        context.ledger.open_run("quick", run.model_copy(update={"run_key": "0" * 64}))
    code, _, err = everfit("promote", "quick", "--run", "0" * 64, "--reason", "x")
    assert (code, "CHAMPION-UNDECIDED quick run 000000000000" in err) == (2, True)
    (logged,) = client.search_runs(
        [client.get_experiment_by_name("quick").experiment_id],
        f"tags.`everfit.run_key` = '{held}'",
    )
    client.delete_run(logged.info.run_id)
    code, _, err = everfit("promote", "quick", "--run", held, "--reason", "x")
    assert (code, "CHAMPION-RUN-GONE" in err, err.count("\n")) == (2, True, 1)
    assert journal(checkout) == BEFORE


def test_a_version_waits_until_a_person_answers(context, monkeypatch, capsys) -> None:
    def everfit(*arguments: str) -> tuple[int, str]:
        code = main(list(arguments))
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    monkeypatch.setenv("EVERFIT_ROOT", str(context.settings.root))
    world = World(context)
    world.spec["gate"]["approval"] = "required"
    world.months(3)
    registered = world.result(world.run(), "register")
    assert (registered.version, registered.champion, registered.awaits) == (1, None, "approval")
    waits = "v1 waits for your answer: everfit approve quick 1, or everfit refuse"
    assert waits in everfit("champion", "quick")[1]
    assert "v1 waits for an answer" in everfit("history", "quick")[1]
    assert (
        "person  has not answered yet: everfit approve quick 1"
        in everfit("explain", "quick", "1")[1]
    )
    assert everfit("reconcile", "quick")[0] == 0  # nobody forgot it
    again = world.result(world.run(force=True), "register")
    assert (again.version, again.champion, again.awaits) == (1, None, "approval")
    assert everfit("refuse", "quick", "1") == (
        2,
        "USAGE everfit refuse: --reason is missing. See everfit refuse --help.\n",
    )

    code, told = everfit("approve", "quick", "v1", "--reason", "as agreed", "--by", "ada")
    assert code == 0
    assert told.startswith(f"quick v1 was approved by {ME}, ")
    assert "It is champion now" in told
    assert champion_alias(context.settings, "quick") == 1
    (entry,) = context.ledger.history("quick")
    said = f" Approved by {ME}: as agreed (for ada)"
    assert (entry.kind, entry.reason.endswith(said), entry.person) == ("promote", True, ME)
    assert f"promoted by the gate's verdict, approved by {ME}" in everfit("champion", "quick")[1]
    assert json.loads(everfit("history", "quick", "--json")[1])[0]["approved_by"] == ME
    code, told = everfit("approve", "quick", "1", "--json")
    assert (code, mismatch(json.loads(told), load("approve").answer())) == (0, None)
    code, told = everfit("refuse", "quick", "1", "--reason", "too late")
    assert (code, "CHAMPION-ANSWERED quick v1" in told) == (2, True)
    served = world.result(world.run(force=True), "register")
    assert (served.version, served.champion, served.awaits) == (1, 1, "")
    assert len(context.ledger.history("quick")) == 1
    assert everfit("reconcile", "quick")[0] == 0


@pytest.mark.thorough
def test_a_refused_version_is_remembered_and_may_still_be_promoted(
    context, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("EVERFIT_ROOT", str(context.settings.root))
    world = World(context)
    world.spec["gate"]["approval"] = "required"
    world.months(3)
    world.run()
    assert main(["refuse", "quick", "1", "--reason", "wait for May", "--by", "ada"]) == 0
    assert "It stays a challenger; nothing serves." in capsys.readouterr().out
    assert main(["refuse", "quick", "1", "--reason", "wait for May", "--by", "ada", "--json"]) == 0
    assert mismatch(json.loads(capsys.readouterr().out), load("refuse").answer()) is None
    for command in (["history", "quick"], ["explain", "quick", "1"]):
        assert main(command) == 0
        shown = capsys.readouterr().out
        assert f"refused by {ME}, " in shown
        assert "wait for May" in shown
    assert world.result(world.run(force=True), "register").champion is None
    assert main(["reconcile", "quick"]) == 0
    assert main(["promote", "quick", "--to", "1", "--reason", "it is May", "--by", "bob"]) == 0
    assert [entry.kind for entry in context.ledger.history("quick")] == ["override"]
    assert champion_alias(context.settings, "quick") == 1


def test_a_version_whose_columns_are_gone_from_the_newest_data_is_refused(
    checkout, everfit
) -> None:
    everfit("rollback", "quick", "--to", "1", "--reason", "to see")
    header, *rows = month_csv(2018, 6, 100, seed=3).splitlines()
    place = header.split(",").index("trip_distance")
    cut = [[c for i, c in enumerate(row.split(",")) if i != place] for row in (header, *rows)]
    text = "\n".join(",".join(cells) for cells in cut) + "\n"
    (checkout / "data" / "trips" / "2018-06.csv").write_text(text)
    assert everfit("check", "quick")[0] == 0  # takes a snapshot of the newest
    code, _, err = everfit("promote", "quick", "--to", "2", "--reason", "back again")
    assert code == 2
    assert "must be in 2018-06.csv; trip_distance not there" in err
    assert journal(checkout) == [*BEFORE, (1, "rollback")]


def test_reconcile_puts_back_an_alias_that_a_hand_moved(checkout, everfit, client) -> None:
    client.set_registered_model_alias("quick", "champion", "1")
    code, out, _ = everfit("reconcile", "quick", "--dry-run")
    assert (code, alias(checkout)) == (2, 1)
    assert "to repair: @champion named v1: it names v2 again" in out
    code, out, err = everfit("reconcile", "quick")
    assert (code, alias(checkout), err) == (0, 2, "")
    assert "repaired: @champion named v1" in out
    client.delete_registered_model_alias("quick", "champion")
    assert everfit("reconcile", "quick")[0] == 0
    assert alias(checkout) == 2
    code, out, _ = everfit("reconcile", "quick")
    assert "0 repaired, 0 for a person" in out


def test_reconcile_names_versions_deleted_by_hand(checkout, everfit, client) -> None:
    client.delete_model_version("quick", "2")
    code, _, err = everfit("reconcile", "quick")
    assert code == 2
    assert "RECONCILE-GONE" in err
    assert "v2 not there, the champion among them" in err
    assert err.count("\n") == 1
    assert everfit("rollback", "quick", "--to", "1", "--reason", "v2 was deleted")[0] == 0
    assert alias(checkout) == 1


def test_reconcile_deletes_twins_and_names_strangers_and_hanging_runs(
    checkout, everfit, client
) -> None:
    (one, two) = sorted(
        client.search_model_versions("name = 'quick'"), key=lambda version: int(version.version)
    )
    client.create_model_version("quick", two.source, two.run_id, {**two.tags})
    client.create_model_version("quick", one.source, one.run_id)
    experiment = client.get_experiment_by_name("quick").experiment_id
    key = {"everfit.run_key": one.tags["everfit.run_key"]}
    hanging = client.create_run(experiment, tags=key).info.run_id
    code, out, err = everfit("reconcile", "quick")
    assert code == 2
    assert "repaired: v3 repeated v2" in out
    assert "quick v4: every version in MLflow must be in the ledger" in err
    assert f"run {hanging}: the run of a recorded verdict" in err
    assert err.count("\n") == 2
    left = {int(version.version) for version in client.search_model_versions("name = 'quick'")}
    assert left == {1, 2, 4}
    client.delete_model_version("quick", "4")
    client.delete_run(hanging)
    assert everfit("reconcile", "quick")[0] == 0


def test_reconcile_names_each_artifact_that_is_missing_or_altered(checkout, everfit) -> None:
    with open_context(settings_in(checkout)) as context:
        one, two = context.ledger.versions("quick")
        span = context.ledger.spans("quick")[0]
        root = context.store.root
        # Taken out once, while nothing needed it; a version needs it now.
        context.ledger.record_removal(
            "quick", RemovalRecord(digest=two.champion.train.digest, what="table", reason="old")
        )
    model = root / blob_key(one.champion.model.digest)
    model.chmod(0o644)
    model.write_bytes(model.read_bytes() + b" ")
    (root / blob_key(two.champion.train.digest)).unlink()
    (root / blob_key(span.digest)).unlink()
    code, _, err = everfit("reconcile", "quick")
    lines = err.splitlines()
    assert (code, len(lines)) == (2, 3)
    digest, table = one.champion.model.digest, two.champion.train.digest
    must = "the store must hold the bytes of digest"
    assert f"quick v1 model: {must} {digest}; they are altered" in err
    assert f"quick v2 training table: {must} {table}; there are none" in err
    assert f"quick snapshot {span.name}" in err
    code, _, err = everfit("rollback", "quick", "--to", "1", "--reason", "x")
    assert (code, "STORE-ALTERED" in err) == (2, True)
    assert journal(checkout) == BEFORE


@pytest.mark.thorough
def test_reconcile_finishes_a_registration_that_was_cut_off(context, monkeypatch, capsys) -> None:
    class Cut(Exception):
        pass

    def cut(*_) -> None:
        raise Cut

    world = World(context)
    world.months(3)
    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(Ledger, "record_version", cut)
        world.run()
    root = context.settings.root
    monkeypatch.setenv("EVERFIT_ROOT", str(root))
    assert context.ledger.versions("quick") == []
    assert main(["reconcile", "quick", "--dry-run"]) == 2
    assert "to repair: run " in capsys.readouterr().out
    assert context.ledger.versions("quick") == []
    assert main(["reconcile", "quick"]) == 2
    shown = capsys.readouterr()
    assert "is v1 now" in shown.out
    assert "RECONCILE-UNPROMOTED quick v1" in shown.err  # who is champion is not for it to say
    (record,) = context.ledger.versions("quick")
    with open_registry(context.settings, "quick") as registry:
        (shown_version,) = registry.versions("quick")
    assert (shown_version.version, shown_version.run_key) == (record.version, record.run_key)
    assert champion_alias(context.settings, "quick") is None
    made = record.champion

    registered = world.result(world.run(), "register")  # takes it up where it stopped
    assert (registered.version, registered.champion) == (1, 1)
    (again,) = context.ledger.versions("quick")
    assert again.champion == made
    prepared = world.result(world.run(force=True), "prepare")
    assert made.train == prepared.train
    assert set(made.features) == {c.name for c in prepared.columns if c.role == "feature"}
    capsys.readouterr()
    assert main(["reconcile", "quick"]) == 0
