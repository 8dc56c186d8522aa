"""``everfit chaos``: finds nothing where nothing is wrong, and what was planted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from everfit.cli import main
from everfit.cli.command import load
from everfit.contracts.errors import UserError
from everfit.contracts.settings import Settings
from everfit.contracts.spec.load import load_spec
from everfit.engine.context import open_context
from everfit.engine.progress import LogProgress
from everfit.operations.chaos.cases import Rig
from everfit.operations.chaos.session import Wanted, chaos
from everfit.operations.chaos.world import World, new_world, remembering
from tests.json_shapes import mismatch
from tests.proof.mutants import MUTANTS
from tests.proof.test_mutants import checkout
from tests.services import PostgresqlServer, new_database
from tests.world import World as Months
from tests.world import new_checkout

pytestmark = [
    pytest.mark.slow,
    # MLflow's own store, on the SQLAlchemy that is pinned here.
    pytest.mark.filterwarnings("ignore:The ``noload``:DeprecationWarning"),
]

ALWAYS = {"kill", "disk-full", "read-only", "frozen", "race"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one pipeline and four months; nothing has run in it."""
    root = tmp_path_factory.mktemp("repository")
    elsewhere = root / "elsewhere"
    with open_context(new_checkout(root).model_copy(update={"home": elsewhere})) as context:
        world = Months(context)
        world.months(4, rows=200)
        world.load()
    return root


def a_world(root: Path, folder: Path, **places: str) -> World:
    """A copy of the pipeline that has lived."""
    settings = Settings.from_environment({"EVERFIT_ROOT": str(root), **places})
    spec = load_spec(root / "dags" / "pipelines" / "quick.yaml")
    world = new_world(spec, settings, folder, 100)
    world.live(lambda *_: None)
    return world


def test_nothing_is_found_where_nothing_is_wrong(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVERFIT_ROOT", str(root))
    monkeypatch.setattr("everfit.operations.chaos.session.MINUTE", 3.0)  # a shorter one
    before = sorted(path for path in root.rglob("*") if path.is_file())
    folder = tmp_path / "tried"
    arguments = ["chaos", "quick", "--minutes", "1", "--rows", "100", "--seed", "3", "--json"]
    assert main([*arguments, "--in", str(folder)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert mismatch(found, load("chaos").answer()) is None
    assert found["broken"] == []
    assert set(found["kinds"]) <= ALWAYS and 0 < found["cases"] < found["there"]
    assert json.loads((folder / "chaos.json").read_bytes()) == found
    page = (folder / "chaos.html").read_text()
    assert "Every promise held" in page and "Recovery, longest" in page
    assert sorted(path for path in root.rglob("*") if path.is_file()) == before, "it was written to"


def test_on_s3_and_postgresql_it_has_a_prefix_and_a_schema_of_its_own(
    root: Path, tmp_path: Path, bucket: str, postgresql_server: PostgresqlServer
) -> None:
    import boto3
    import psycopg

    url = new_database(postgresql_server.url)
    store = f"s3://{bucket}/live"
    with remembering():
        world = a_world(root, tmp_path / "tried", EVERFIT_LEDGER=url, EVERFIT_STORE=store)
        rig = Rig(world)
        by_kind = rig.cases("second/gate")
        assert set(by_kind) == ALWAYS | {"network", "database"}
        for cases in by_kind.values():
            result = rig.run(cases[len(cases) // 2])
            assert not result.broken, result
        world.places.drop()
    assert boto3.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        asked = "SELECT count(*) FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'"
        assert connection.execute(asked).fetchone() == (0,)


PLANTED = {
    "a second verdict is recorded": ("second/gate", "verdicts"),
    "the journal takes a place twice": ("first/register", "promotions"),
}
"""Guard that is taken out → the step, and the table before whose record it is frozen."""

DRIVER = """
import sys
from pathlib import Path
from everfit.engine.context import pin_threads
pin_threads(1)
from everfit.operations.chaos.cases import Case, Rig
from everfit.operations.chaos.world import remembering
from tests.pipeline.test_chaos import a_world
root, folder, place, table = sys.argv[1:]
with remembering():
    rig = Rig(a_world(Path(root), Path(folder)))
    acts = rig.whole(place).acts
    wanted = f"sql INSERT INTO everfit_{table}"
    (at,) = (n for n, act in enumerate(acts, 1) if act.startswith(wanted))
    print(rig.run(Case("frozen", place, at)).broken)
"""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.thorough] * bool(number))
        for number, name in enumerate(PLANTED)
    ],
)
@pytest.mark.parametrize("planted", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_a_planted_fault_is_found(name: str, planted: bool, root: Path, tmp_path: Path) -> None:
    (mutant,) = (one for one in MUTANTS if one.name == name)
    (tmp_path / "checkout").mkdir()
    folder = checkout(tmp_path / "checkout")
    path = folder / "pipeline_components" / "everfit" / mutant.file
    if planted:
        path.write_text(path.read_text().replace(mutant.old, mutant.new))
    place, table = PLANTED[name]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(root), str(tmp_path / "tried"), place, table],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{folder}:{folder / 'pipeline_components'}"},
    )
    assert done.returncode == 0, done.stderr
    said = "A run has at most one record" if name != "the journal takes a place twice" else "counts"
    assert (said in done.stdout) is planted, done.stdout + done.stderr[-2000:]


def test_a_folder_in_use_and_a_case_that_is_none_are_named(root: Path, tmp_path: Path) -> None:
    settings = Settings.from_environment({"EVERFIT_ROOT": str(root)})
    spec = load_spec(root / "dags" / "pipelines" / "quick.yaml")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"CHAOS-FOLDER .*it holds notes.txt"):
        chaos(spec, settings, tmp_path, Wanted(1, 100, 1), LogProgress())
    wanted = Wanted(1, 100, 1, "explode/second/gate/1")
    with pytest.raises(UserError, match=r"CHAOS-CASE explode/second/gate/1: .*such as kill/"):
        chaos(spec, settings, tmp_path / "new", wanted, LogProgress())
