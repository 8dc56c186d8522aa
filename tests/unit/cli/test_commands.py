"""The command line: what it prints, and the exit codes people script against."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from everfit.cli import main
from everfit.contracts.messages.steps import Order
from everfit.contracts.spec.load import load_spec
from everfit.engine import execute
from tests.world import QUICK


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout with one pipeline and no data."""
    (tmp_path / "dags" / "pipelines").mkdir(parents=True)
    monkeypatch.setenv("EVERFIT_ROOT", str(tmp_path))
    for name in (
        "EVERFIT_HOME",
        "EVERFIT_DATA",
        "EVERFIT_STORE",
        "EVERFIT_LEDGER",
        "EVERFIT_MLFLOW",
        "MLFLOW_TRACKING_URI",
    ):
        monkeypatch.delenv(name, raising=False)
    write(tmp_path, QUICK)
    yield tmp_path
    logging.getLogger("everfit").setLevel(logging.NOTSET)


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
    assert "tarket: is no field here; did you mean 'target'?" in shown.err
    assert re.search(r"SPEC wrong\.yaml:\d+: tarket: ", shown.err)


def test_an_address_of_an_unknown_kind_is_refused_without_a_look_at_any_data(home, capsys) -> None:
    path = home / "dags" / "pipelines" / "quick.yaml"
    path.write_text(yaml.safe_dump({**QUICK, "source": {"uri": "ftp://host/x.csv"}}))
    assert main(["check", "quick", "--spec-only"]) == 2
    assert "SOURCE-KIND source.uri" in capsys.readouterr().err


def test_a_check_of_the_user_s_that_is_not_there_is_named(home, capsys) -> None:
    paths = ["my_firm.checks.one", "json.dumbs", "json.dumps"]
    write(home, {**QUICK, "gate": {**QUICK["gate"], "checks": paths}})
    assert main(["check", "quick"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(" a ")[0].partition(" the ")[0] for line in said] == [
        "SPEC quick.yaml:16: gate.checks: GATE-CHECK my_firm.checks.one:",
        "SPEC quick.yaml:16: gate.checks: GATE-CHECK json.dumbs:",
    ]
    assert "ModuleNotFoundError: No module named 'my_firm'" in said[0]
    assert said[1].endswith("Did you mean json.dumps?")


def test_a_column_that_is_not_there_is_named_with_its_field(home, capsys) -> None:
    main(["example", "--months", "2", "--rows", "50"])
    write(home, {**QUICK, "time": "pickup_datetim"})
    assert main(["check", "quick"]) == 2
    assert capsys.readouterr().err == (
        "SPEC quick.yaml:24: time: column 'pickup_datetim' is not in 2018-02.csv; "
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


@pytest.mark.parametrize(
    ("setting", "value", "code", "part"),
    [
        ("EVERFIT_HOME", "{file}/home", 2, "HOME "),
        ("EVERFIT_MLFLOW", "nonsense", 2, "REGISTRY-URL EVERFIT_MLFLOW"),
        ("EVERFIT_MLFLOW", "file:///somewhere", 2, "its scheme is 'file'"),
        ("EVERFIT_MLFLOW", "http://me:s3cret@host", 2, "an address holds no credentials"),
        ("EVERFIT_MLFLOW", "http://[s3cret", 2, "REGISTRY-URL"),
        ("EVERFIT_LEDGER", "mysql://me:s3cret@host/name", 2, "LEDGER-URL"),
        ("EVERFIT_LEDGER", "postgresql://me:s3cret@127.0.0.1:9/x", 75, "LEDGER-UNAVAILABLE"),
        ("EVERFIT_STORE", "http://me:s3cret@host", 2, "STORE-URL"),
        ("EVERFIT_STORE", "file://{file}/store", 2, "STORE-ACCESS"),
    ],
)
@pytest.mark.parametrize("how", ["check", "run", "execute"])
def test_a_wrong_place_is_one_line_before_anything_is_done(
    home, monkeypatch, capsys, how, setting, value, code, part
) -> None:
    main(["example", "--months", "2", "--rows", "50"])
    file = home / "file"
    file.touch()
    monkeypatch.setenv(setting, value.format(file=file))
    capsys.readouterr()
    if how == "execute":
        order = home / "order.json"
        spec = load_spec(home / "dags" / "pipelines" / "quick.yaml")
        order.write_text(Order(component="plan", pipeline=spec).model_dump_json())
        assert execute.main(["--order", str(order), "--outcome", str(home / "outcome")]) == code
        return  # its line goes to the log
    assert main([how, "quick"]) == code
    shown = capsys.readouterr()
    assert part in shown.err
    assert shown.err.count("\n") == 1
    assert "s3cret" not in shown.err + shown.out


def test_execute_says_one_line_of_a_wrong_order_or_place(home, monkeypatch, caplog) -> None:
    order = home / "order.json"
    call = ["--order", str(order), "--outcome", str(home / "outcome")]
    spec = load_spec(home / "dags" / "pipelines" / "quick.yaml")
    for text, code in (
        (None, 2),
        ("{", 2),
        ("[1]", 2),
        ('{"component": "../../x"}', 2),
        (Order(component="gate", pipeline=spec).model_dump_json(), 2),
    ):
        if text is not None:
            order.write_text(text)
        caplog.clear()
        assert execute.main(call) == code
        (line,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
        assert line.exc_info is None
        assert "\n" not in line.getMessage()


@pytest.mark.parametrize(
    ("error", "code", "part"),
    [
        (OSError(28, "No space left on device", "/x"), 75, "SYSTEM-FULL /x: the disk must have"),
        (PermissionError(13, "Permission denied", "/x"), 2, "SYSTEM-ACCESS /x: this user must"),
        (OSError("odd"), 75, "SYSTEM a file: "),
        (ValueError("s3cret"), 75, "INTERNAL ValueError: this is a defect of Everfit."),
    ],
)
def test_what_nobody_foresaw_is_one_line_too(home, monkeypatch, capsys, error, code, part) -> None:
    from everfit.cli.commands import run

    def fail(options: object, terminal: object) -> int:
        raise error

    monkeypatch.setattr(run, "COMMAND", replace(run.COMMAND, run=fail))
    assert main(["run", "quick"]) == code
    shown = capsys.readouterr().err
    assert shown.startswith(part)
    assert shown.count("\n") == 1
    assert "s3cret" not in shown


def test_an_estimator_that_is_not_there_is_found_before_any_run(home, capsys) -> None:
    main(["example", "--months", "1", "--rows", "50"])
    families = [
        {"name": "one", "estimator": "sklearn.svm.SRV"},
        {"name": "two", "estimator": "sklearn.svm.SVC"},
        {"name": "linear", "params": {"alfa": 1}},
    ]
    write(home, {**QUICK, "train": {"families": families}})
    assert main(["check", "quick"]) == 2
    one, two, three = capsys.readouterr().err.splitlines()
    assert "train.families one: " in one
    assert "Did you mean sklearn.svm.SVR?" in one
    assert "a regression needs a regressor" in two
    assert "Did you mean 'alpha'?" in three


def test_a_service_that_may_come_back_is_told_by_the_exit_code(home, capsys, monkeypatch) -> None:
    monkeypatch.setenv("EVERFIT_ALLOWED_HOSTS", "127.0.0.1")
    path = home / "dags" / "pipelines" / "quick.yaml"
    spec = {**QUICK, "source": {"uri": "http://127.0.0.1:9/x.csv?token=s3cret"}}
    path.write_text(yaml.safe_dump({**spec, "holdout": {"fraction": 0.2}, "window": {}}))
    assert main(["check", "quick"]) == 75
    shown = capsys.readouterr().err
    assert shown.startswith("SOURCE-UNAVAILABLE http://127.0.0.1:9/x.csv:")
    assert "s3cret" not in shown


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


def test_example_months_arrive_in_a_bucket_as_in_a_folder(home, bucket, capsys, monkeypatch):
    import boto3

    main(["example", "--months", "2", "--rows", "50"])
    folder = home / "data" / "nyc_yellow"
    monkeypatch.setenv("EVERFIT_DATA", f"s3://{bucket}/team/data/")
    assert main(["example", "--months", "2", "--rows", "50"]) == 0
    said = capsys.readouterr().out
    assert f"s3://{bucket}/team/data/nyc_yellow: 2 months, 2 of them new." in said
    assert main(["example", "--next", "--rows", "50"]) == 0
    assert "3 months, 1 of them new." in capsys.readouterr().out
    client = boto3.client("s3")
    objects = client.list_objects_v2(Bucket=bucket)["Contents"]
    prefix = "team/data/nyc_yellow/"
    assert [o["Key"] for o in objects] == [f"{prefix}2018-0{n}.csv" for n in (1, 2, 3)]
    for name in ("2018-01.csv", "2018-02.csv"):
        body = client.get_object(Bucket=bucket, Key=prefix + name)["Body"].read()
        assert body == (folder / name).read_bytes()
    client.close()
    assert main(["check"]) == 0
    assert "✓ quick  3 spans, newest 2018-03.csv with 50 rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("place", "code"),
    [("s3://no-such-bucket-here", "SOURCE-MISSING"), ("s3://b/*", "SOURCE-DATA EVERFIT_DATA")],
)
def test_an_example_that_cannot_be_put_is_said(
    home, s3_environment, capsys, monkeypatch, place, code
):
    monkeypatch.setenv("EVERFIT_DATA", place)
    assert main(["example", "--months", "1", "--rows", "50"]) == 2
    assert code in capsys.readouterr().err
