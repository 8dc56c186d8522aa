"""Batch scoring: whole spans by the champion, once for a version, and read again by monitoring."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from everfit.cli.main import main
from everfit.contracts.errors import NothingToDo, UserError
from everfit.contracts.messages.chain import ChainTask, monitoring_tasks
from everfit.contracts.messages.monitoring import MonitorResult
from everfit.contracts.messages.scoring import ScoreOptions
from everfit.contracts.messages.steps import Order, Trigger
from everfit.contracts.spec.load import load_spec
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine import pipeline
from everfit.engine.context import open_context
from everfit.engine.execute import perform
from everfit.steps.score.score import score
from tests.contract.killing import killed_at
from tests.world import World, new_checkout, settings_in

TIPS = {
    "task": "binary",
    "target": {"name": "generous", "expression": "tips > 0.2 * fare"},
    "source": {"uri": "{data}/chicago_taxi/data.csv"},
    "features": {"drop": ["tips"], "keep": ["fare"]},
    "holdout": {"fraction": 0.25},
    "train": {"families": ["linear"], "trials": 1, "folds": 2},
    "gate": {"metric": "roc_auc", "superior_by": 0.01, "baseline": "prior"},
}
SPECIES = {
    "task": "multiclass",
    "target": "species",
    "source": {"uri": "{data}/penguins/penguins.csv"},
    "holdout": {"fraction": 0.3},
    "train": {"families": ["linear"], "trials": 1, "folds": 2},
    "gate": {"superior_by": "10%", "baseline": "prior", "min_rows": 50},
}


@pytest.fixture(scope="module")
def scored_world(tmp_path_factory) -> Path:
    """A checkout whose champion was judged on the third of three months; a fourth has come."""
    root = tmp_path_factory.mktemp("trips")
    with open_context(new_checkout(root)) as context:
        world = World(context)
        world.months(3)
        world.run()
        world.months(4)
    return root


@pytest.fixture(scope="module")
def real_champions(tmp_path_factory, shared_data) -> Path:
    """A checkout with champions of Chicago's taxi trips and of the penguins."""
    root = tmp_path_factory.mktemp("real")
    settings = new_checkout(root)
    for name in ("chicago_taxi", "penguins"):
        shutil.copytree(shared_data / name, settings.data / name)
    with open_context(settings) as context:
        for name, fields in (("tips", TIPS), ("species", SPECIES)):
            path = settings.pipelines / f"{name}.yaml"
            path.write_text(yaml.safe_dump(fields))
            pipeline.run_pipeline(load_spec(path), context, Trigger(reason="test"))
            assert context.ledger.champion(name) is not None
    return root


@pytest.fixture
def checkout(scored_world, tmp_path, monkeypatch) -> Path:
    return _copied(scored_world, tmp_path, monkeypatch)


@pytest.fixture
def real(real_champions, tmp_path, monkeypatch) -> Path:
    return _copied(real_champions, tmp_path, monkeypatch)


def _copied(root: Path, tmp_path: Path, monkeypatch) -> Path:
    copy = Path(shutil.copytree(root, tmp_path / "checkout"))
    for name in [name for name in os.environ if name.startswith("EVERFIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EVERFIT_ROOT", str(copy))
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture
def everfit(capsys):
    """Run ``everfit score``: exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["score", *arguments])
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return code, shown.out, shown.err

    return run


@pytest.fixture
def monitored(monkeypatch):
    """What monitoring says of the one new span; Evidently's report has tests of its own."""

    def without_the_report(spec: PipelineSpec) -> list[ChainTask]:
        return [task for task in monitoring_tasks(spec) if task.component != "drift_report"]

    monkeypatch.setattr(pipeline, "monitoring_tasks", without_the_report)

    def look(root: Path, path: Path):
        with open_context(settings_in(root)) as context:
            trigger = Trigger(run_type="scheduled")
            outcomes = pipeline.monitor_pipeline(load_spec(path), context, trigger)
            (done,) = [one for one in outcomes if one.component == "monitor"]
            result = MonitorResult.model_validate_json(context.store.get(done.result))
        (evaluation,) = result.evaluations
        return evaluation.rises

    return look


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def champion_of(root: Path, name: str):
    """The champion's own answers, by the Python API's path."""
    import everfit

    os.chdir(root)
    return everfit.pipeline(name).champion


def test_a_month_is_scored_as_the_champion_itself_answers(checkout, everfit) -> None:
    code, shown, _ = everfit("quick", "--input", "data/trips/2018-04.csv", "--output", "out")
    assert code == 0
    assert shown.splitlines()[0] == "2018-04.csv  500 rows scored by v1"
    found = pd.read_parquet(checkout / "out" / "2018-04.csv.v1.parquet")
    trips = pd.read_csv("data/trips/2018-04.csv", parse_dates=["pickup_datetime"])
    assert list(found) == ["pickup_datetime", "row", "prediction", "version", "scored_at", "span"]
    assert found["row"].tolist() == list(range(1, 501))
    assert (found["pickup_datetime"] == trips["pickup_datetime"]).all()
    expected = champion_of(checkout, "quick").predict(pd.read_csv("data/trips/2018-04.csv"))
    assert np.array_equal(found["prediction"], expected)
    assert set(found["version"]) == {1}
    assert set(found["span"]) == {"2018-04.csv"}
    assert str(found["scored_at"].dt.tz) == "UTC"


def test_a_second_call_has_nothing_to_do_and_a_new_month_alone_is_scored(checkout, everfit) -> None:
    assert everfit("quick", "--output", "out")[0] == 0
    before = {name: (checkout / "out" / name).read_bytes() for name in files(checkout / "out")}
    assert len(before) == 4
    code, shown, _ = everfit("quick", "--output", "out")
    assert (code, shown) == (0, "Nothing to do. All 4 spans are scored by v1 already.\n")
    code, shown, _ = everfit("quick", "--input", "data/trips", "--output", "out")
    assert (code, shown) == (0, "Nothing to do. All 4 spans are scored by v1 already.\n")
    shutil.copy("data/trips/2018-04.csv", "data/trips/2018-05.csv")
    code, shown, _ = everfit("quick", "--output", "out")
    assert [line for line in shown.splitlines() if "rows scored" in line] == [
        "2018-05.csv  500 rows scored by v1"
    ]
    after = {name: (checkout / "out" / name).read_bytes() for name in before}
    assert after == before


def test_a_file_that_changed_is_scored_again_in_its_place(checkout, everfit) -> None:
    everfit("quick", "--input", "data/trips/2018-04.csv", "--output", "out.csv")
    assert len(pd.read_csv("out.csv")) == 500
    text = (checkout / "data/trips/2018-04.csv").read_text().splitlines(keepends=True)
    (checkout / "data/trips/2018-04.csv").write_text("".join(text[:101]))
    code, _, _ = everfit("quick", "--input", "data/trips/2018-04.csv", "--output", "out.csv")
    assert (code, len(pd.read_csv("out.csv"))) == (0, 100)
    (checkout / "out.csv").write_text("altered")
    code, _, _ = everfit("quick", "--input", "data/trips/2018-04.csv", "--output", "out.csv")
    assert (code, len(pd.read_csv("out.csv"))) == (0, 100)


def order(root: Path, score_block: dict[str, object], **options: object) -> Order:
    """An order to score, for a spec with such a block; the form's fields are its options."""
    path = root / "dags/pipelines/quick.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "score": score_block}))
    scoring = ScoreOptions.model_validate(options) if options else None
    return Order(component="score", pipeline=load_spec(path), scoring=scoring)


def test_the_step_scores_what_the_spec_says_and_then_has_nothing_to_do(checkout, everfit) -> None:
    asked = order(checkout, {"output": "out", "spans": 2})
    with open_context(settings_in(checkout)) as context:
        done = perform(asked, context)
        assert done.summary.shown() == {
            "scored": 2,
            "rows": 1000,
            "already": 0,
            "refused": 0,
            "unscored": 0,
            "versions": "1",
            "output": (checkout / "out").as_posix(),
        }
        assert files(checkout / "out") == [f"2018-0{n}.csv.v1.parquet" for n in (3, 4)]
        with pytest.raises(
            NothingToDo, match=r"SCORE-DONE quick: .*all 2 spans were scored before"
        ):
            perform(asked, context)
        asked = order(checkout, {"output": "out"}, input="data/trips/2018-01.csv", output="x.csv")
        perform(asked, context)
        assert len(pd.read_csv("x.csv")) == 500
        asked = order(checkout, {"output": "out", "version": "challenger"})
        with pytest.raises(UserError, match=r"SCORE-CHALLENGER quick: .*the champion, v1"):
            perform(asked, context)
    code, _, _ = everfit("quick", "--version", "champion", "--spans", "all")
    assert code == 0
    assert len(files(checkout / "out")) == 4
    assert everfit("quick", "--spans", "0", "--output", "out")[0] == 2


def test_the_step_fails_where_a_span_is_refused_once_the_others_are_done(checkout) -> None:
    (checkout / "new").mkdir()
    trips = pd.read_csv("data/trips/2018-04.csv")
    trips.drop(columns="trip_distance").to_csv("new/a.csv", index=False)
    trips.to_csv("new/b.csv", index=False)
    with open_context(settings_in(checkout)) as context:
        with pytest.raises(
            UserError, match=r"SCORE-REFUSED quick: .*1 of 2 were refused: CHAMPION"
        ):
            perform(order(checkout, {"input": "new", "output": "out"}), context)
        assert files(checkout / "out") == ["b.csv.v1.parquet"]
        perform(order(checkout, {"input": "new", "output": "out2", "spans": 1}), context)


def test_without_an_output_the_command_says_where_to_name_one(checkout, everfit) -> None:
    code, _, complaint = everfit("quick")
    assert code == 2
    assert complaint.startswith("SCORE-OUTPUT quick: scoring must be told where predictions go; ")


def test_a_table_is_filled_once_and_an_output_is_never_scored(
    checkout, everfit, monkeypatch
) -> None:
    sqlite3.connect("out.db").close()
    monkeypatch.setenv("EVERFIT_CONN_OUT", f"sqlite:///{checkout / 'out.db'}")
    code, shown, _ = everfit("quick", "--output", "sql:out:scores", "--spans", "2")
    assert (code, shown.count("500 rows scored by v1")) == (0, 2)
    everfit("quick", "--output", "files", "--spans", "1")
    with sqlite3.connect("out.db") as database:
        rows = pd.read_sql("SELECT * FROM scores WHERE span = '2018-04.csv'", database)
        assert len(pd.read_sql("SELECT * FROM scores", database)) == 1000
        database.execute("DELETE FROM scores WHERE span = '2018-04.csv' AND row > 3")
    written = pd.read_parquet("files/2018-04.csv.v1.parquet")
    assert list(rows) == list(written)
    assert np.array_equal(rows["prediction"], written["prediction"])
    code, shown, _ = everfit("quick", "--output", "sql:out:scores")
    assert [line for line in shown.splitlines() if "rows scored" in line] == [
        f"2018-0{n}.csv  500 rows scored by v1" for n in (1, 2, 4)
    ]
    code, shown, _ = everfit("quick", "--output", "sql:out:scores")
    assert shown == "Nothing to do. All 4 spans are scored by v1 already.\n"
    arguments = ("--input", "sql:out:scores", "--output", "sql:out:scores")
    code, _, complaint = everfit("quick", *arguments)
    assert code == 2
    assert complaint.startswith("SCORE-OUTPUT sql:out:scores: predictions lie apart from what is")


@pytest.mark.parametrize("ending", ["", "/all.parquet", "/all.csv"])
def test_killed_at_any_act_a_retry_leaves_one_whole_output(checkout, tmp_path, ending) -> None:
    (checkout / "data/trips/more").mkdir()
    shutil.copy("data/trips/2018-04.csv", "data/trips/more/a.csv")
    spec = load_spec(checkout / "dags/pipelines/quick.yaml")

    def run(place: Path) -> None:
        with open_context(settings_in(checkout)) as context:
            score(spec, context, f"{place}{ending}", input="data/trips/more/a.csv")

    act = 1
    while True:
        place = tmp_path / f"out{act}"
        killed = killed_at(act, lambda place=place: run(place))
        run(place)
        (name,) = [path.name for path in place.iterdir() if not path.name.startswith((".", "_"))]
        read = pd.read_csv if name.endswith(".csv") else pd.read_parquet
        assert read(place / name)["row"].tolist() == list(range(1, 501))
        if not killed:
            break
        act += 1
    assert act > 5


def test_missing_columns_are_named_in_one_line_and_stop_no_other_span(checkout, everfit) -> None:
    (checkout / "new").mkdir()
    trips = pd.read_csv("data/trips/2018-04.csv")
    trips.to_csv("new/good.csv", index=False)
    lacking = trips.drop(columns=["trip_distance", "passenger_count"])
    lacking.to_csv("new/lacking.csv", index=False)
    code, shown, complaint = everfit("quick", "--input", "new", "--output", "out")
    assert code == 2
    assert complaint.splitlines()[-1].startswith(
        "CHAMPION-COLUMNS quick v1: every column its model reads must be in lacking.csv; "
    )
    assert "passenger_count" in complaint
    assert "trip_distance" in complaint
    assert shown.startswith("good.csv  500 rows scored by v1")
    assert files(checkout / "out") == ["good.csv.v1.parquet"]


def test_rows_without_labels_need_no_target(checkout, everfit) -> None:
    spec = yaml.safe_load((checkout / "dags/pipelines/quick.yaml").read_text())
    spec["source"]["where"] = "fare_amount > 0"
    (checkout / "dags/pipelines/quick.yaml").write_text(yaml.safe_dump(spec))
    trips = pd.read_csv("data/trips/2018-04.csv").drop(columns=spec["features"]["drop"])
    trips.drop(columns="fare_amount").to_csv("today.csv", index=False)
    code, shown, _ = everfit("quick", "--input", "today.csv", "--output", "today.parquet")
    assert code == 0
    assert "500 rows scored" in shown
    assert "source.where reads fare_amount, which is not known when rows are scored" in shown


def test_an_empty_file_is_refused_in_one_line(checkout, everfit) -> None:
    header = (checkout / "data/trips/2018-04.csv").read_text().splitlines()[0]
    (checkout / "empty.csv").write_text(header + "\n")
    code, shown, complaint = everfit("quick", "--input", "empty.csv", "--output", "out.csv")
    assert (code, shown) == (2, "")
    assert complaint.startswith("SPAN-HEADER-ONLY empty.csv: a span must hold rows; ")
    assert not (checkout / "out.csv").exists()


def test_what_scoring_did_not_write_is_never_replaced(checkout, everfit) -> None:
    before = (checkout / "data/trips/2018-04.csv").read_bytes()
    path = "data/trips/2018-04.csv"
    code, _, complaint = everfit("quick", "--input", path, "--output", path)
    assert code == 2
    assert complaint.splitlines()[-1].startswith("SCORE-TAKEN ")
    assert (checkout / path).read_bytes() == before
    code, _, complaint = everfit("quick", "--input", "data/trips", "--output", "data/trips/out")
    assert code == 2
    assert "the next call would read them as spans of the input" in complaint


def test_a_span_of_the_same_name_from_elsewhere_replaces_nothing(checkout, everfit) -> None:
    trips = pd.read_csv("data/trips/2018-04.csv")
    for folder, rows in (("jan", trips.head(100)), ("feb", trips.tail(200))):
        (checkout / folder).mkdir()
        rows.to_csv(f"{folder}/data.csv", index=False)
    assert everfit("quick", "--input", "jan", "--output", "out")[0] == 0
    code, _, complaint = everfit("quick", "--input", "feb", "--output", "out")
    assert code == 2
    assert "it holds those of " in complaint
    assert len(pd.read_parquet("out/data.csv.v1.parquet")) == 100
    for folder, rows in (("jan", 100), ("feb", 200)):
        assert everfit("quick", "--input", folder, "--output", "newest.csv")[0] == 0
        assert len(pd.read_csv("newest.csv")) == rows


def test_the_champion_of_a_time_and_a_version_by_number(checkout, everfit) -> None:
    code, _, complaint = everfit("quick", "--output", "out", "--as-of", "2018-05-01")
    assert code == 2
    assert "SCORE-CHAMPION quick: rows are scored by a champion; there was none at" in complaint
    code, _, complaint = everfit("quick", "--output", "out", "--as-of")
    assert code == 2
    assert complaint.count("SCORE-CHAMPION quick 2018-0") == 4
    assert everfit("quick", "--output", "out", "--version", "v2")[0] == 2
    assert everfit("quick", "--output", "out", "--version", "1", "--as-of", "2030-01-01")[0] == 2
    assert everfit("quick", "--output", "out", "--as-of", "2999-01-01")[0] == 0
    code, shown, _ = everfit("quick", "--output", "out", "--version", "1")
    assert shown == "Nothing to do. All 4 spans are scored by v1 already.\n"


def test_monitoring_reads_what_scoring_wrote(checkout, everfit, monitored) -> None:
    path = checkout / "dags/pipelines/quick.yaml"
    spec = yaml.safe_load(path.read_text())
    spec["monitor"] = {
        "min_rows": 50,
        "attainable": False,
        "predictions": {
            "uri": "scores/*.parquet",
            "key": ["pickup_datetime", "trip_distance"],
            "time": "pickup_datetime",
        },
    }
    path.write_text(yaml.safe_dump(spec))
    assert everfit("quick", "--output", "scores")[0] == 0
    champion, logged = monitored(checkout, path)
    assert (champion.source, logged.source) == ("champion", "logged")
    assert logged.rows == champion.rows == 500
    assert logged.current == pytest.approx(champion.current, rel=1e-12)


def test_classes_come_with_their_probabilities(real, everfit) -> None:
    code, _, _ = everfit("species", "--output", "out")
    assert code == 0
    found = pd.read_parquet("out/penguins.csv.v1.parquet")
    chances = found[["probability_0", "probability_1", "probability_2"]]
    assert np.allclose(chances.sum(axis=1), 1.0)
    assert (chances.to_numpy().argmax(axis=1).astype(str) == found["prediction"]).all()
    table = pd.read_csv("data/penguins/penguins.csv", float_precision="round_trip")
    assert (found["prediction"] == table["species"].astype(str)).mean() > 0.95
    assert np.array_equal(chances, champion_of(real, "species").predict_proba(table))


@pytest.mark.thorough
def test_probabilities_of_a_class_are_a_log_that_monitoring_scores_by_rank(
    real, everfit, monitored
) -> None:
    table = pd.read_csv("data/chicago_taxi/data.csv")
    table.insert(0, "trip", range(len(table)))
    (real / "data/trips").mkdir()
    table.head(8000).to_csv("data/trips/a.csv", index=False)
    spec = {
        **TIPS,
        "source": {"uri": "{data}/trips/*.csv"},
        "key": ["trip"],
        "features": {"drop": ["tips", "trip"], "keep": ["fare"]},
        "monitor": {
            "attainable": False,
            "predictions": {
                "uri": "scores/*.csv",
                "key": ["trip"],
                "prediction": "probability_True",
            },
        },
    }
    path = real / "dags/pipelines/keyed.yaml"
    path.write_text(yaml.safe_dump(spec))
    with open_context(settings_in(real)) as context:
        pipeline.run_pipeline(load_spec(path), context, Trigger(reason="test"))
        table.tail(5000).to_csv("data/trips/b.csv", index=False)
    assert everfit("keyed", "--input", "data/trips/b.csv", "--output", "scores/b.csv")[0] == 0
    champion, logged = monitored(real, path)
    assert logged.metric == "roc_auc"
    assert logged.current == pytest.approx(champion.current, rel=1e-9)


def test_texts_never_seen_and_cells_that_are_no_numbers_are_counted(real, everfit) -> None:
    table = pd.read_csv("data/chicago_taxi/data.csv", dtype="str").head(400)
    table.loc[[3, 7], "payment_type"] = "Barter"
    table.loc[[1, 2, 5], "trip_miles"] = "far"
    table.to_csv("odd.csv", index=False)
    code, shown, _ = everfit("tips", "--input", "odd.csv", "--output", "odd.parquet", "--json")
    (one,) = json.loads(shown)
    assert code == 0
    assert one["unseen"] == {"payment_type": 2}
    assert one["unreadable"] == {"trip_miles": 3}
    assert (one["rows"], one["unscored"]) == (400, 0)
    blank = table.assign(trip_miles=table["trip_miles"].replace("far", ""))
    blank.to_csv("blank.csv", index=False)
    everfit("tips", "--input", "blank.csv", "--output", "blank.parquet")
    odd, known = pd.read_parquet("odd.parquet"), pd.read_parquet("blank.parquet")
    assert np.array_equal(odd["probability_True"], known["probability_True"])


def test_a_column_without_one_number_is_refused(real, everfit) -> None:
    table = pd.read_csv("data/chicago_taxi/data.csv", dtype="str").head(400)
    table.assign(trip_miles="far", fare="?").to_csv("odd.csv", index=False)
    code, _, complaint = everfit("tips", "--input", "odd.csv", "--output", "odd.parquet")
    assert code == 2
    assert "fare, trip_miles holding text, not numbers" in complaint
    assert not (real / "odd.parquet").exists()


def test_a_table_of_a_database_is_scored_whole_and_anew_only_where_it_changed(
    real, everfit, monkeypatch
) -> None:
    table = pd.read_csv("data/chicago_taxi/data.csv").head(700).drop(columns="tips")
    with sqlite3.connect("trips.db") as database:
        table.to_sql("waiting", database, index=False)
    monkeypatch.setenv("EVERFIT_CONN_TRIPS", f"sqlite:///{real / 'trips.db'}")
    code, shown, _ = everfit("tips", "--input", "sql:trips:waiting", "--output", "out")
    assert code == 0
    assert shown.startswith("waiting  700 rows scored by v1")
    found = pd.read_parquet("out/waiting.v1.parquet")
    chances = champion_of(real, "tips").predict_proba(table)[True]
    assert np.allclose(np.sort(found["probability_True"]), np.sort(chances), atol=1e-12)
    code, shown, _ = everfit("tips", "--input", "sql:trips:waiting", "--output", "out")
    assert (code, shown) == (0, "Nothing to do. The span is scored by v1 already.\n")
    with sqlite3.connect("trips.db") as database:
        database.execute("UPDATE waiting SET fare = 99 WHERE rowid = 1")
    code, shown, _ = everfit("tips", "--input", "sql:trips:waiting", "--output", "out")
    assert shown.startswith("waiting  700 rows scored by v1")
    query = "sql:trips:SELECT * FROM waiting WHERE fare > 50"
    code, shown, _ = everfit("tips", "--input", query, "--output", "dear.csv")
    assert code == 0
    assert len(pd.read_csv("dear.csv")) == 1 + (table["fare"].iloc[1:] > 50).sum()


def test_predictions_go_to_s3_once(real, everfit, bucket) -> None:
    import boto3

    place = f"s3://{bucket}/scores"
    assert everfit("species", "--output", place)[0] == 0
    client = boto3.client("s3")
    keys = [item["Key"] for item in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == [
        "scores/_scored/penguins.csv.v1.parquet.json",
        "scores/penguins.csv.v1.parquet",
    ]
    code, shown, _ = everfit("species", "--output", place)
    assert (code, shown) == (0, "Nothing to do. The span is scored by v1 already.\n")
    client.delete_object(Bucket=bucket, Key=keys[1])
    code, shown, _ = everfit("species", "--output", place)
    assert "rows scored by v1" in shown
    code, _, complaint = everfit("species", "--output", "s3://no-such-bucket-here/scores")
    assert code == 2
    assert "SCORE-OUTPUT s3://no-such-bucket-here/scores: " in complaint
