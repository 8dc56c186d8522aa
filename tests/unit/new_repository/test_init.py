"""``everfit init`` on tables of all kinds: what it finds, and what it says of what cannot be."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from everfit.cli import main
from everfit.cli.command import load
from everfit.contracts.spec.load import load_spec
from everfit.operations.new_repository.find_source import source_of
from tests.json_shapes import mismatch


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("EVERFIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(path: Path, rows: int = 60, mark: str = ",", **columns) -> Path:
    """A CSV; each column is a function of the row's number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [mark.join(columns)]
    lines += [mark.join(str(make(row)) for make in columns.values()) for row in range(rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def begin(capsys, *arguments: str) -> dict:
    code = main(["init", *arguments, "--json"])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    answer: dict = json.loads(shown.out)
    assert mismatch(answer, load("init").answer()) is None
    return answer


def refused(capsys, *arguments: str) -> str:
    assert main(["init", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def spec(folder: Path, name: str):
    return load_spec(folder / "dags" / "pipelines" / f"{name}.yaml")


@pytest.mark.parametrize(
    ("make", "task"),
    [
        (lambda row: row % 2, "binary"),
        (lambda row: "yes" if row % 3 else "no", "binary"),
        (lambda row: "abc"[row % 3], "multiclass"),
        (lambda row: row % 5, "multiclass"),
        (lambda row: row * row, "regression"),
        (lambda row: row / 7, "regression"),
    ],
)
def test_the_task_is_what_the_targets_values_look_like(folder, capsys, make, task) -> None:
    table(folder / "data" / "t.csv", x=lambda row: row / 3, y=make)
    begun = begin(capsys)
    assert (begun["task"], begun["target"]) == (task, "y")
    assert spec(folder, "t").task == task


def test_a_column_that_names_its_row_is_dropped_and_a_measure_is_not(folder, capsys) -> None:
    table(
        folder / "data" / "t.csv",
        id=lambda row: f"r{row:04d}",
        number=lambda row: 7 * row + 1,
        measured=lambda row: row / 9,
        y=lambda row: row % 2,
    )
    begin(capsys)
    assert spec(folder, "t").features.drop == ("id", "number")


def test_files_with_a_period_in_their_names_are_spans_in_time(folder, capsys) -> None:
    for month in (1, 2, 3):
        table(
            folder / "data" / "sales" / f"2024-0{month}.csv",
            day=lambda row, month=month: f"2024-0{month}-{1 + row % 28:02d}",
            x=lambda row: row / 3,
            sold=lambda row: row * 1.5,
        )
    begun = begin(capsys, "--target", "sold")
    assert (begun["spans"], begun["time"], begun["pipeline"]) == (3, "day", "sales")
    made = spec(folder, "sales")
    assert made.source.period == "%Y-%m"
    assert made.source.uri == "{data}/sales/*.csv"
    assert made.holdout.spans == 1


def test_a_target_can_be_an_expression_and_its_columns_are_hidden(folder, capsys) -> None:
    path = table(folder / "trips.csv", tip=lambda row: row % 7, fare=lambda row: row / 2)
    begun = begin(capsys, "--data", str(path), "--target", "generous = tip > 0.2 * fare")
    assert (begun["task"], begun["target"]) == ("binary", "generous")
    assert set(spec(folder, "trips").features.drop) == {"tip", "fare"}


def test_names_that_yaml_would_read_otherwise_stay_names(folder, capsys) -> None:
    path = table(
        folder / "data" / "t.csv",
        **{"no": lambda row: row / 3, "Trip: miles #1": lambda row: row / 4, "on": lambda r: r % 2},
    )
    begun = begin(capsys, "--data", str(path), "--target", "on")
    assert begun["target"] == "on"
    assert spec(folder, "t").target.name == "on"


def test_semicolons_are_seen(folder, capsys) -> None:
    table(folder / "data" / "t.csv", mark=";", x=lambda row: row / 3, y=lambda row: row % 2)
    begin(capsys)
    assert spec(folder, "t").source.csv.delimiter == ";"


def test_an_address_is_taken_as_it_is(folder) -> None:
    assert source_of("s3://bucket/prefix/", folder) == {"uri": "s3://bucket/prefix/"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--data", "nowhere.csv"], "INIT-DATA nowhere.csv: "),
        (["--target", "z"], "INIT-TARGET z: "),
        (["--target", "same"], "INIT-TARGET same: "),
        (["--target", "a = z > 1"], "INIT-TARGET z: "),
        (["--target", "a = import os"], "INIT-TARGET a: "),
        (["--metric", "rmsee"], "INIT-METRIC --metric: "),
        (["--time", "x"], "INIT-TIME x: "),
        (["--time", "z"], "INIT-TIME z: "),
        (["--name", "My Model"], "NAME 'My Model': "),
    ],
)
def test_what_cannot_be_is_one_line(folder, capsys, arguments, line) -> None:
    table(
        folder / "data" / "t.csv",
        x=lambda row: row / 3,
        same=lambda row: 1,
        y=lambda row: row * 1.5,
    )
    assert refused(capsys, *arguments).startswith(line)
    assert not (folder / "README.md").exists()


def test_without_data_it_says_how_to_name_it(folder, capsys) -> None:
    line = refused(capsys)
    assert line.startswith("INIT-DATA ")
    assert line.endswith("Name it with --data.")


def test_in_a_terminal_it_asks_and_an_empty_answer_takes_what_was_found(folder) -> None:
    table(folder / "data" / "t.csv", x=lambda row: row / 3, y=lambda row: row % 2)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from everfit.cli import main; raise SystemExit(main(['init']))"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
    )
    os.close(theirs)
    os.write(ours, b"\nmine\ny\nnonsense\nbinary\nroc_auc\n")
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0, shown.decode()
    text = shown.decode()
    assert "name of the pipeline [t]" in text
    assert "It is one of regression, binary, multiclass." in text
    made = spec(folder, "mine")
    assert (made.task, made.gate.metric) == ("binary", "roc_auc")
