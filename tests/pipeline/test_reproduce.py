"""Registered versions rebuilt from their dossiers: here, by other code, and where it must fail."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import everfit as package
from everfit.cli import main
from everfit.cli.command import load
from everfit.contracts.spec.load import load_spec
from everfit.engine.context import open_context
from everfit.engine.pipeline import run_pipeline
from everfit.storage.store import blob_key, digest_file
from tests.json_shapes import mismatch
from tests.world import World, new_checkout, settings_in

RUN = "import sys; from everfit.cli import main; sys.exit(main(sys.argv[1:]))"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def lived(tmp_path_factory) -> Path:
    """A checkout with v1, and v2 judged against it; each test takes a copy."""
    root = tmp_path_factory.mktemp("lived")
    with open_context(new_checkout(root)) as context:
        world = World(context)
        world.spec["features"] = {
            "drop": [*world.spec["features"]["drop"], "trip_distance"],
            "derive": {},
        }
        world.months(3)
        world.run()
        world.spec["features"]["drop"].remove("trip_distance")
        world.months(4)
        world.run()
        versions = context.ledger.versions("quick")
        assert [record.version for record in versions] == [1, 2]
    return root


@pytest.fixture
def everfit(checkout: Path, capsys) -> Run:
    """Run a command in this process, whose code and environment are the recorded ones."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return code, shown.out, shown.err

    return run


@pytest.fixture
def by_other_code(checkout: Path, tmp_path: Path) -> Callable[[str, str, str], Run]:
    """A copy of the components with one line changed, and its ``everfit``."""

    def changed(file: str, line: str, into: str) -> Run:
        here = Path(package.__file__).parent
        code = tmp_path / "code"
        shutil.copytree(here, code / "everfit", ignore=shutil.ignore_patterns("__pycache__"))
        path = code / "everfit" / file
        text = path.read_text()
        assert text.count(line) == 1
        path.write_text(text.replace(line, into))

        def run(*arguments: str) -> tuple[int, str, str]:
            done = subprocess.run(
                [sys.executable, "-c", RUN, *arguments],
                check=False,
                capture_output=True,
                text=True,
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(code)},
            )
            assert "Traceback" not in done.stderr, done.stderr
            return done.returncode, done.stdout, done.stderr

        return run

    return changed


def record(root: Path, version: int) -> Any:
    with open_context(settings_in(root)) as context:
        return context.ledger.versions("quick")[version - 1]


def snapshot(root: Path) -> tuple[str, Path]:
    """A span of v2's window, and the file of its snapshot."""
    with open_context(settings_in(root)) as context:
        spans = {span.digest: span.name for span in context.ledger.spans("quick")}
        digest = context.ledger.versions("quick")[1].champion.window[0]
    return spans[digest], root / ".everfit" / "store" / blob_key(digest)


def test_each_version_is_bit_identical_and_nothing_is_written(checkout, everfit):
    store = checkout / ".everfit" / "store"
    before = {path: path.stat().st_mtime for path in store.rglob("*") if path.is_file()}
    for version in ("1", "v2"):
        code, out, err = everfit("reproduce", "quick", version)
        assert (code, err) == (0, "")
        number = version.strip("v")
        model = record(checkout, int(number)).champion.model.digest[:12]
        assert f"BIT-IDENTICAL  quick v{number}: the rebuilt model has the recorded digest" in out
        assert out.count(f"digest {model}") == 2
        assert out.count("✓") == 5 and "✗" not in out
        assert "which are those of here" in out
    assert {p: p.stat().st_mtime for p in store.rglob("*") if p.is_file()} == before


@pytest.mark.thorough
def test_no_cache_is_needed(checkout, everfit):
    """All results are gone, and what the recorded run made: only its inputs are left to read."""
    with open_context(settings_in(checkout)) as context:
        store, champion = context.store, context.ledger.versions("quick")[1].champion
        assert [store.remove(key) for key in list(store.keys("results/"))].count(True) > 10
        store.remove(blob_key(champion.train.digest))
        store.remove(blob_key(champion.model.digest))
    code, out, _ = everfit("reproduce", "quick", "2", "--json")
    assert code == 0
    assert json.loads(out)["answer"] == "bit-identical"
    assert mismatch(json.loads(out), load("reproduce").answer()) is None


@pytest.mark.thorough
def test_other_kernels_and_threads_in_the_shell_change_nothing(checkout, everfit, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("MKL_CBWR", "SSE2")
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", "")
    code, out, _ = everfit("reproduce", "quick", "2")
    assert code == 0
    assert "BIT-IDENTICAL" in out


@pytest.mark.thorough
def test_what_is_made_is_kept_where_asked(checkout, everfit, tmp_path):
    folder = tmp_path / "kept"
    code, out, _ = everfit("reproduce", "quick", "1", "--keep", str(folder))
    assert code == 0 and f"kept            {folder}" in out
    champion = record(checkout, 1).champion
    assert digest_file(folder / "train.parquet") == champion.train.digest
    assert digest_file(folder / "linear.skops") == champion.model.digest
    assert json.loads((folder / "reproduction.json").read_text())["answer"] == "bit-identical"
    code, _, err = everfit("reproduce", "quick", "1", "--keep", str(folder))
    assert code == 2
    assert err.startswith("REPRODUCE-KEEP ")


def test_one_altered_row_of_a_snapshot_names_the_span(checkout, everfit):
    import pyarrow as pa
    import pyarrow.parquet as pq

    span, path = snapshot(checkout)
    table = pq.read_table(path)
    fares = table.column("fare_amount").to_pylist()
    fares[7] += 1.0
    place = table.schema.get_field_index("fare_amount")
    kind = table.schema.field("fare_amount").type
    path.unlink()
    pq.write_table(table.set_column(place, "fare_amount", pa.array(fares, kind)), path)
    code, out, err = everfit("reproduce", "quick", "2")
    assert (code, out) == (2, "")
    assert err.startswith(f"REPRODUCE-SNAPSHOT quick v2 span {span}: ")
    assert "its bytes are altered" in err and err.count("\n") == 1


def test_a_lost_snapshot_names_the_span(checkout, everfit):
    span, path = snapshot(checkout)
    path.unlink()
    code, _, err = everfit("reproduce", "quick", "2")
    assert code == 2
    assert err.startswith(f"REPRODUCE-SNAPSHOT quick v2 span {span}: ")
    assert "it is not there" in err


def test_an_altered_dossier_is_never_used(checkout, everfit):
    path = checkout / ".everfit" / "store" / blob_key(record(checkout, 1).dossier)
    text = path.read_bytes()
    path.unlink()
    path.write_bytes(text.replace(b'"seed":0', b'"seed":1'))
    code, _, err = everfit("reproduce", "quick", "1")
    assert code == 2
    assert err.startswith("STORE-ALTERED ")


def test_changed_code_rebuilds_with_the_recorded_code(by_other_code):
    run = by_other_code(
        "steps/prepare/split.py",
        "    return places[np.lexsort((rows[places], times[places]))]",
        "    return places[np.lexsort((rows[places], times[places]))][::-1]",
    )
    code, out, err = run("reproduce", "quick", "2")
    assert (code, err) == (0, "")
    assert "BIT-IDENTICAL" in out
    assert "the recorded code " in out and "which are those of here" not in out

    code, out, err = run("reproduce", "quick", "2", "--here", "--json")
    assert (code, err) == (4, "")
    answer = json.loads(out)
    assert answer["answer"] == "diverged"
    states = {step["name"]: step["state"] for step in answer["rebuilt"]["steps"]}
    assert states == {
        "snapshots": "same",
        "columns": "same",
        "training table": "differs",
        "holdout table": "differs",
    }
    assert answer["rebuilt"]["steps"][2]["differs"] == ["the same rows in another order"]
    assert "code " in answer["how"]


@pytest.mark.thorough
def test_a_change_of_train_names_the_model_and_how_far_it_is(by_other_code):
    run = by_other_code(
        "ml/families/fitting.py",
        "    fit(estimator, matrix, values, warned)\n",
        "    fit(estimator, matrix, values * 1.01, warned)\n",
    )
    code, out, _ = run("reproduce", "quick", "2", "--here")
    assert code == 4
    assert "DIVERGED  quick v2: the first step that differs is the model: bytes: " in out
    assert "✓ holdout table" in out and "✗ model" in out
    assert "apart over 500 rows of the holdout" in out


@pytest.mark.thorough
def test_a_change_in_the_last_bits_is_numerically_equal(by_other_code):
    run = by_other_code(
        "ml/families/fitting.py",
        "    fit(estimator, matrix, values, warned)\n",
        "    fit(estimator, matrix, values * (1 + 1e-13), warned)\n",
    )
    code, out, _ = run("reproduce", "quick", "2", "--here", "--json")
    answer = json.loads(out)
    assert (code, answer["answer"]) == (0, "numerically equal")
    assert 0 < answer["rebuilt"]["apart"]["relative"] < 1e-9
    assert answer["rebuilt"]["steps"][-1]["state"] == "equal"


def test_columns_that_come_out_otherwise_are_named(by_other_code):
    run = by_other_code(
        "ml/profiles/unify_columns.py",
        "    if one == other:\n        return one\n",
        '    if one == other:\n        return "string" if one == "float" else one\n',
    )
    code, out, _ = run("reproduce", "quick", "2", "--here")
    assert code == 4
    assert "the first step that differs is the columns: " in out
    assert "column trip_distance: string, recorded is float" in out


def test_a_version_that_nobody_knows(everfit):
    code, _, err = everfit("reproduce", "quick", "9")
    assert code == 2 and err.startswith("CHAMPION-UNKNOWN quick v9")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["penguins", "chicago_tips"])
@pytest.mark.thorough
def test_real_tables(real_world: World, name, monkeypatch, capsys):
    """A row-wise holdout of three species; and tips, with their families' search."""
    context = real_world.context
    path = context.settings.pipelines / f"{name}.yaml"
    shutil.copy(Path(__file__).parents[1] / "specs" / f"{name}.yaml", path)
    run_pipeline(load_spec(path), context)
    (version,) = context.ledger.versions(name)
    monkeypatch.setenv("EVERFIT_ROOT", str(context.settings.root))
    assert main(["reproduce", name, "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["answer"] == "bit-identical"
    assert answer["rebuilt"]["found"] == version.champion.model.digest
