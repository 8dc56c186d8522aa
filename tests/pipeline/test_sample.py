"""A change to a pipeline, from git to the comment on its pull request."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import yaml

from everfit.cli import main
from everfit.cli.command import load
from everfit.operations.delivery import sample as module
from tests.json_shapes import mismatch
from tests.world import World

REPOSITORY = Path(__file__).resolve().parents[2]

NOWHERE = {
    "EVERFIT_STORE": "s3://nowhere/at/all",
    "EVERFIT_LEDGER": "postgresql+psycopg://nobody@127.0.0.1:1/nothing",
    "EVERFIT_MLFLOW": "http://127.0.0.1:1",
    "EVERFIT_SIGNING_KEY": "/no/such.key",
    "EVERFIT_VERIFY_KEY": "/no/such.pub",
}
"""The installation's places: none can be reached, so none is."""

Change = Callable[..., None]


@pytest.fixture
def change(world: World, monkeypatch: pytest.MonkeyPatch) -> Change:
    """Commit a pipeline on main, then edit its YAML on a branch: values by dotted path."""
    root = world.context.settings.root
    world.months(4, rows=400)
    world.load()
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "dags"],
        ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "one"],
        ["checkout", "-qb", "work"],
    ):
        subprocess.run(["git", "-C", root, *words], check=True)
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EVERFIT_ROOT", str(root))
    monkeypatch.setenv("EVERFIT_HOME", str(root / "home-that-is-not-made"))

    def edit(**values: object) -> None:
        for path, value in values.items():
            *parents, last = path.split("__")
            node = world.spec
            for parent in parents:
                node = node[parent]
            node[last] = value
        (world.context.settings.pipelines / "quick.yaml").write_text(yaml.safe_dump(world.spec))

    return edit


def make(target: str, out: Path, **more: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"BASE": "main", "OUT": str(out), "SPANS": "3", "ROWS": "250"} | more
    return subprocess.run(
        ["make", "--silent", target],
        cwd=REPOSITORY,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_change_is_judged_against_what_was_before_and_told(world, change, tmp_path) -> None:
    change(
        features__drop=[*world.spec["features"]["drop"], "trip_distance", "dropoff_datetime"],
        features__derive={},
    )
    changed = make("changed", tmp_path)
    assert changed.stdout.split() == ["quick", "dags/pipelines/quick.yaml"], changed.stderr
    done = make("sample", tmp_path, LINK="https://example.org/runs/1")
    assert done.returncode == 0, done.stdout + done.stderr  # rejected, and so done
    (told,) = json.loads((tmp_path / "sample" / "samples.json").read_text())
    assert told["verdict"] == "reject"
    assert told["against"] == "the pipeline as it was before"
    assert told["comparison"]["gain"]["high"] < 0
    assert told["rows_train"] + told["rows_holdout"] <= 3 * 250
    comment = (tmp_path / "sample" / "comment.md").read_text()
    assert "| `quick` | ❌ reject | the pipeline as it was before | MAE " in comment
    assert "- what would flip it: " in comment
    assert "- run because of dags/pipelines/quick.yaml" in comment
    assert "(https://example.org/runs/1)" in comment
    for file in ("decision_report.html", "decision_report.json", "data_report.html"):
        assert (tmp_path / "sample" / "quick" / file).stat().st_size > 1000
    report = json.loads((tmp_path / "sample" / "quick" / "decision_report.json").read_text())
    assert report["gate"]["mode"] == "observe"
    assert not Path(os.environ["EVERFIT_HOME"]).exists()


def run(out: Path, *words: str) -> tuple[int, dict[str, object], str]:
    with redirect_stdout(io.StringIO()) as written:
        code = main(
            ["sample", "--base", "main", "--to", str(out), "--rows", "200", *words, "--json"]
        )
    (told,) = json.loads((out / "samples.json").read_text())
    assert json.loads(written.getvalue()) == [told]
    assert mismatch([told], load("sample").answer()) is None
    return code, told, (out / "comment.md").read_text()


def test_a_change_of_words_alone_is_held_against_the_baseline(change, tmp_path) -> None:
    change(owner="another")
    code, told, comment = run(tmp_path / "out")
    assert (code, told["verdict"], told["against"]) == (0, "promote", "the baseline median")
    assert "No value changed that a model or a verdict depends on." in comment
    assert told["spans"] == ["2018-01.csv", "2018-02.csv", "2018-03.csv", "2018-04.csv"]


@pytest.mark.thorough
def test_the_newest_spans_are_taken_and_as_many_as_it_needs(change, tmp_path) -> None:
    change(window={"spans": 3, "min_spans": 2})
    code, told, comment = run(tmp_path / "out", "--spans", "1")
    assert code == 0
    assert told["spans"] == ["2018-02.csv", "2018-03.csv", "2018-04.csv"]
    assert "3 spans, as it needs so many to judge at all." in comment


@pytest.mark.thorough
def test_too_few_spans_are_no_failure(change, tmp_path) -> None:
    change(window={"spans": 9, "min_spans": 9})
    code, told, comment = run(tmp_path / "out")
    assert (code, told["verdict"], told["problems"]) == (0, None, [])
    assert "| `quick` | – not judged |" in comment


def test_steps_with_images_of_their_own_are_not_run(change, tmp_path) -> None:
    change(images={"train": "registry.example.org/fares@sha256:" + "a" * 64})
    code, told, _ = run(tmp_path / "out")
    assert (code, told["verdict"]) == (0, None)
    assert told["because"].startswith("SAMPLE-IMAGES quick")


def test_a_wrong_spec_fails_and_the_others_are_run(world, change, tmp_path, capsys) -> None:
    change(owner="another")
    wrong = world.spec | {"task": "regresion"}
    (world.context.settings.pipelines / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    assert main(["sample", "--base", "main", "--to", str(tmp_path / "out"), "--rows", "200"]) == 2
    assert re.search(r"SPEC wrong\.yaml:\d+: task: ", capsys.readouterr().err)
    comment = (tmp_path / "out" / "comment.md").read_text()
    assert "2 changed pipelines, 1 of them failing, on a sample" in comment
    assert "| `quick` | ✅ promote |" in comment
    assert "| `wrong` | 💥 failed | – | – | – | SPEC wrong.yaml:" in comment


@pytest.mark.thorough
def test_a_source_without_the_target_fails(change, tmp_path) -> None:
    change(target="fares_amount")
    code, told, comment = run(tmp_path / "out")
    assert (code, told["exit_code"]) == (2, 2)
    assert "💥 failed" in comment


def test_a_crash_fails_and_says_so(change, tmp_path, monkeypatch) -> None:
    change(owner="another")

    def crash(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "run_pipeline", crash)
    code, told, comment = run(tmp_path / "out")
    assert (code, told["verdict"]) == (75, None)
    assert "INTERNAL ZeroDivisionError: see the log." in comment


def test_no_change_is_said_and_done(change, tmp_path, capsys) -> None:
    change()
    subprocess.run(["git", "-C", os.environ["EVERFIT_ROOT"], "checkout", "-q", "."], check=True)
    assert main(["sample", "--base", "main", "--to", str(tmp_path / "out")]) == 0
    assert "No pipeline is concerned" in (tmp_path / "out" / "comment.md").read_text()


def test_a_sample_of_nothing_asked_for_is_told(change, tmp_path, capsys) -> None:
    assert main(["sample", "--to", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith("SAMPLE-WHICH")
