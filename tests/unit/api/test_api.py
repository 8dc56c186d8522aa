"""The public API: runs, frames, the champion, steps; a person's mistake is one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import everfit
from everfit.cli import main

FIELDS = {
    "task": "regression",
    "target": "y",
    "source": {"uri": "{data}/t/*.csv", "period": "%Y-%m"},
    "holdout": {"spans": 1},
    "train": {"families": ["linear"], "trials": 1, "folds": 2},
    "gate": {"metric": "mae", "superior_by": "1%", "baseline": "median"},
}


def arrive(root: Path, month: int, rows: int = 400) -> None:
    random = np.random.default_rng(month)
    x, noise = random.normal(size=rows), random.normal(size=rows) / 10
    kind = random.choice(["a", "b"], rows)
    frame = pd.DataFrame({"x": x, "kind": kind, "y": 3 * x + (kind == "a") + noise})
    (root / "data" / "t").mkdir(parents=True, exist_ok=True)
    frame.to_csv(root / "data" / "t" / f"2024-{month:02d}.csv", index=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    import yaml

    folder = tmp_path_factory.mktemp("repository")
    (folder / "dags" / "pipelines").mkdir(parents=True)
    (folder / "dags" / "pipelines" / "made.yaml").write_text(yaml.safe_dump(FIELDS))
    for month in (1, 2, 3):
        arrive(folder, month)
    return folder


@pytest.fixture(autouse=True)
def here(root, monkeypatch) -> None:
    for name in [name for name in os.environ if name.startswith("EVERFIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(root)


@pytest.fixture(scope="module")
def ran(root) -> everfit.Run:
    before = Path.cwd()
    os.chdir(root)
    try:
        return everfit.pipeline("made").run(quiet=True)
    finally:
        os.chdir(before)


def test_a_run_has_verdict_scores_and_report(ran) -> None:
    assert ran.verdict == "promote"
    assert ran.metrics["mae"] < 0.2 < ran.baseline["mae"]
    assert ran.compared_with == "median"
    assert (ran.version, ran.champion) == (1, 1)
    assert "<html" in ran.report.read_text()
    html = ran._repr_html_()
    assert "PROMOTE" in html
    assert "mae" in html


def test_nothing_to_do_is_a_result(ran) -> None:
    again = everfit.pipeline("made").run(quiet=True)
    assert again.verdict is None
    assert "nothing changed" in again.because
    assert "NOTHING TO DO" in again._repr_html_()


def test_a_run_here_is_a_run_of_the_command_line(ran, capsys) -> None:
    assert main(["run", "made"]) == 0
    assert "nothing changed" in capsys.readouterr().out
    assert list(everfit.pipeline("made").runs().index) == [ran.key]


def test_the_frames_hold_what_was_recorded(ran) -> None:
    pipeline = everfit.pipeline("made")
    runs = pipeline.runs()
    assert runs.loc[ran.key, "verdict"] == "promote"
    assert runs["opened"].dt.tz is not None
    assert pipeline.runs(verdict="reject").empty
    assert set(pipeline.spans()["name"]) == {"2024-01.csv", "2024-02.csv", "2024-03.csv"}
    assert list(pipeline.history()["version"]) == [1]
    assert pipeline.triggers()["decision"].iloc[0] == "train"


def test_the_champion_predicts_raw_rows_whatever_their_order_and_index(ran) -> None:
    rows = pd.read_csv("data/t/2024-03.csv", index_col=False)
    rows.index = rows.index + 1000
    champion = everfit.pipeline("made").champion
    told = champion.predict(rows)
    assert list(told.index) == list(rows.index)
    assert float((told - rows["y"]).abs().mean()) == pytest.approx(ran.metrics["mae"], rel=1e-6)
    shuffled = rows.sample(frac=1, random_state=1)[list(reversed(rows.columns))]
    pd.testing.assert_series_equal(champion.predict(shuffled).sort_index(), told)


def test_an_explanation_is_the_change_from_a_typical_value(ran) -> None:
    rows = pd.DataFrame({"x": [-1.0, 0.0, 1.0], "kind": ["a", "a", "b"]})
    told = everfit.pipeline("made").champion.explain(rows)
    assert list(told.columns) == ["kind", "x"]
    assert told["x"].to_numpy() == pytest.approx([-3, 0, 3], abs=0.2)
    assert told["kind"].to_numpy() == pytest.approx([0, 0, -1], abs=0.2)


def test_spans_are_scored_once_and_told_in_a_frame(ran, tmp_path) -> None:
    pipeline = everfit.pipeline("made")
    told = pipeline.score(tmp_path, input="data/t/2024-03.csv", version=1)
    assert told[["state", "rows", "version"]].to_numpy().tolist() == [["scored", 400, 1]]
    found = pd.read_parquet(told["output"].iloc[0])
    rows = pd.read_csv("data/t/2024-03.csv")
    assert float((found["prediction"] - rows["y"]).abs().mean()) == pytest.approx(
        ran.metrics["mae"], rel=1e-6
    )
    again = pipeline.score(tmp_path, input="data/t/2024-03.csv")
    assert again["state"].tolist() == ["already"]


def test_a_step_gives_its_tables(ran) -> None:
    pipeline = everfit.pipeline("made")
    made = pipeline.step("prepare")
    assert made.cached
    assert (len(made.frame), len(made.holdout)) == (800, 400)
    assert set(made.frame.columns) == {"x", "kind", "y"}
    assert len(pipeline.step("extract").frame) == 1200
    assert pipeline.step("validate").frame is None


def test_a_pipeline_is_found_by_path_and_made_of_fields(ran, root, tmp_path, monkeypatch) -> None:
    assert repr(everfit.Pipeline("made", **FIELDS).champion) == "<champion of made: version 1>"
    monkeypatch.chdir(tmp_path)
    found = everfit.pipeline(root / "dags" / "pipelines" / "made.yaml")
    assert found.champion.version == 1
    assert found.settings.root == root


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: everfit.pipeline("mad"), "NAME mad: .* Did you mean 'made'"),
        (lambda: everfit.pipeline("nowhere.yaml"), "NAME nowhere.yaml: "),
        (lambda: everfit.Pipeline("new", **FIELDS).champion, "API-CHAMPION new: "),
        (lambda: everfit.Pipeline("new", **FIELDS).plot.drift().svg, "API-PICTURES new: "),
        (lambda: everfit.pipeline("made").step("fit"), "API-STEP fit: "),
        (
            lambda: everfit.pipeline("made").champion.predict(pd.DataFrame({"X": [1]})),
            "API-COLUMNS made v1: .*missing: kind, x",
        ),
        (
            lambda: everfit.pipeline("made").champion.predict_proba(pd.DataFrame({"x": [1]})),
            "API-CLASSES made: ",
        ),
    ],
)
def test_a_mistake_is_one_line(ran, call, line) -> None:
    with pytest.raises(everfit.errors.UserError, match=line) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_wrong_field_is_told_with_all_others() -> None:
    with pytest.raises(everfit.errors.SpecError) as caught:
        everfit.Pipeline("new", task="regresion", target="y")
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "task",
        "source",
        "gate",
    ]


def test_pictures_come_once_a_span_was_measured(ran, root) -> None:
    arrive(root, 4)
    pipeline = everfit.pipeline("made")
    measured = pipeline.monitor()
    assert "2024-04.csv" in set(measured["name"])
    for picture in (pipeline.plot.drift(), pipeline.plot.score()):
        assert picture._repr_svg_().lstrip().startswith(("<svg", "<?xml"))
    target = pipeline.plot.drift().save(root / "drift.svg")
    assert target.read_text() == pipeline.plot.drift().svg


def test_importing_it_loads_nothing_that_knows_data() -> None:
    code = (
        "import sys, everfit; everfit.__version__; everfit.errors.UserError;"
        "print(sorted({'numpy', 'pandas', 'sklearn', 'mlflow', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_it_offers_is_what_it_lists() -> None:
    for name in everfit.__all__:
        assert getattr(everfit, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = everfit.nothing
