"""The command line: what it prints, and the exit codes people script against."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipeline_components.cli import main
from pipeline_components.contracts.spec_file import load_spec
from tests.world import QUICK


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout with one pipeline and no data."""
    (tmp_path / "dags" / "pipelines").mkdir(parents=True)
    monkeypatch.setenv("EVERFIT_ROOT", str(tmp_path))
    for name in ("EVERFIT_HOME", "EVERFIT_DATA", "EVERFIT_MLFLOW", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    write(tmp_path, QUICK)
    yield tmp_path
    logging.getLogger("pipeline_components").setLevel(logging.NOTSET)


def write(home: Path, document: dict[str, object], name: str = "quick") -> None:
    path = home / "dags" / "pipelines" / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**document, "source": {"uri": "{data}/nyc_yellow/*.csv"}}))


def test_a_good_spec_is_ticked_with_what_its_source_holds(home, capsys) -> None:
    assert main(["example", "--months", "2", "--rows", "50"]) == 0
    assert main(["check"]) == 0
    assert "✓ quick  2 spans, newest 2018-02.csv with 50 rows" in capsys.readouterr().out


def test_every_wrong_spec_is_named_and_the_exit_code_says_so(home, capsys) -> None:
    write(home, {**QUICK, "tarket": "x"}, "wrong")
    assert main(["check", "--spec-only"]) == 2
    shown = capsys.readouterr()
    assert "✓ quick" in shown.out
    assert "SPEC wrong.yaml tarket: is no field here; did you mean 'target'?" in shown.err


def test_a_column_that_is_not_there_is_named_with_its_field(home, capsys) -> None:
    main(["example", "--months", "1", "--rows", "50"])
    write(home, {**QUICK, "time": "pickup_datetim"})
    assert main(["check", "quick"]) == 2
    assert capsys.readouterr().err == (
        "SPEC quick.yaml time: column 'pickup_datetim' is not in 2018-01.csv; "
        "did you mean 'pickup_datetime'?\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["run", "quik"], 2, "Did you mean 'quick'"),
        (["run", "../etc"], 2, "lower-case letters"),
        (["run", "quick", "--window", "few"], 2, "WINDOW --window: a window is a number of spans"),
        (["check", "quick"], 2, "nyc_yellow"),
        (["schema", "quick"], 2, "nyc_yellow"),
        (["run", "quick"], 2, "SOURCE-MISSING"),
        (["example", "--months", "0"], 2, "months are 1 to 120"),
        (["example", "--months", "999"], 2, "months are 1 to 120"),
    ],
)
def test_mistakes_are_one_line_and_no_traceback(home, capsys, arguments, code, part) -> None:
    assert main(arguments) == code
    shown = capsys.readouterr().err
    assert part in shown
    assert "Traceback" not in shown
    assert shown.count("\n") == 1


def test_a_source_without_spans_is_nothing_to_do(home, capsys) -> None:
    (home / "data" / "nyc_yellow").mkdir(parents=True)
    assert main(["run", "quick"]) == 0
    assert "Nothing to do. PLAN-SKIP quick:" in capsys.readouterr().out


def test_the_inferred_schema_fits_its_own_table_and_is_never_overwritten_unasked(
    home, capsys
) -> None:
    main(["example", "--months", "2", "--rows", "200"])
    assert main(["schema", "quick"]) == 0
    spec = load_spec(home / "dags" / "pipelines" / "quick.yaml")
    assert spec.curated is not None
    assert spec.curated.columns["fare_amount"].type == "float"
    assert main(["schema", "quick"]) == 2
    assert "SCHEMA-EXISTS" in capsys.readouterr().err
    assert main(["schema", "quick", "--replace"]) == 0


def test_example_months_are_equal_however_often_they_are_made(home) -> None:
    main(["example", "--months", "1", "--rows", "100"])
    path = home / "data" / "nyc_yellow" / "2018-01.csv"
    first = path.read_bytes()
    path.unlink()
    main(["example", "--months", "1", "--rows", "100"])
    assert path.read_bytes() == first
    main(["example", "--next", "--rows", "100"])
    assert sorted(p.name for p in path.parent.iterdir()) == ["2018-01.csv", "2018-02.csv"]
