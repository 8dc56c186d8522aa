from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from everfit.contracts.messages.chain import training_tasks
from everfit.contracts.spec.load import load_spec

REPOSITORY = Path(__file__).resolve().parents[2]
DAG_FILE = REPOSITORY / "dags" / "everfit_pipelines.py"

HEAVY = (
    "boto3",
    "evidently",
    "matplotlib",
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "skops",
    "sklearn",
    "skrub",
    "joblib",
)

LOAD = """
import json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {heavy!r}:
            raise ImportError(name + " is not for DAG files")

sys.meta_path.insert(0, Refuse())
import airflow
from airflow.sdk import DAG
before = set(sys.modules)
from airflow.dag_processing.dagbag import DagBag
middle = set(sys.modules)
bag = DagBag({file!r}, safe_mode=False)
own = sorted(m for m in set(sys.modules) - middle)
print(json.dumps({{"dags": sorted(bag.dags), "errors": bag.import_errors, "modules": own}}))
"""


KINDS = ("monitor", "train")


def load(folder: Path) -> DagBag:
    assert os.environ["EVERFIT_PIPELINES"] == str(folder)
    return DagBag(str(DAG_FILE), safe_mode=False)


def in_a_clean_process(folder: Path, **environ: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOAD.format(heavy=set(HEAVY), file=str(DAG_FILE))],
        env={
            **os.environ,
            "EVERFIT_PIPELINES": str(folder),
            "PYTHONPATH": os.pathsep.join(
                str(REPOSITORY / folder) for folder in ("", "pipeline_components", "plugins")
            ),
            **environ,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_the_repositorys_own_pipelines_load(monkeypatch):
    monkeypatch.delenv("EVERFIT_PIPELINES", raising=False)
    bag = DagBag(str(REPOSITORY / "dags"))
    assert bag.import_errors == {}
    specs = sorted(p.stem for p in (REPOSITORY / "dags" / "pipelines").glob("*.yaml"))
    specs = [name for name in specs if not name.endswith(".schema")]
    built = [f"{name}.{kind}" for name in specs for kind in KINDS]
    people = [f"everfit.{name}" for name in ("promote", "reconcile", "rollback")]
    assert sorted(bag.dags) == sorted([*built, *people])


def test_the_chain_is_a_line_of_tasks_with_train_mapped(folder):
    dag = load(folder).dags["fares.train"]
    edges = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
    assert edges == {
        "plan": ["extract"],
        "extract": ["validate"],
        "validate": ["prepare"],
        "prepare": ["train"],
        "train": ["evaluate"],
        "evaluate": ["gate"],
        "gate": ["register"],
        "register": [],
    }
    assert dag.get_task("train").is_mapped
    assert dag.get_task("train").expand_input.value == {"family": ["linear", "extra_trees"]}


def test_where_refits_are_asked_for_one_is_made_before_anything_is_registered(folder):
    refits(folder)
    dag = load(folder).dags["fares.train"]
    assert dag.get_task("gate").downstream_task_ids == {"refit"}
    assert dag.get_task("refit").downstream_task_ids == {"register"}


@pytest.mark.parametrize("refit", [False, True])
def test_every_result_a_step_reads_is_there_before_it_starts(folder, refit):
    if refit:
        refits(folder)
    dag = load(folder).dags["fares.train"]
    chain = training_tasks(load_spec(folder / "fares.yaml"))
    for component, needs in {task.component: task.upstream for task in chain}.items():
        before = dag.get_task(component).get_flat_relative_ids(upstream=True)
        assert set(needs) <= before
        task = dag.get_task(component)
        reads = task.partial_kwargs["reads"] if task.is_mapped else task.reads
        assert tuple(reads) == needs


def refits(folder: Path) -> None:
    """Have the pipeline ask for refits."""
    text = (folder / "fares.yaml").read_text()
    (folder / "fares.yaml").write_text(text.replace("train: {", "train: {refit: true, "))


def test_the_specs_values_are_the_dags(folder):
    dag = load(folder).dags["fares.train"]
    ticks = dag.timetable.timetable
    assert ticks.expression == "0 3 * * 1"
    assert str(ticks.timezone) in ("Europe/Berlin", "Timezone('Europe/Berlin')")
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert {"taxi", "regression", "everfit", "train"} == dag.tags
    assert dag.owner == "pricing"


def test_a_pipeline_without_a_schedule_waits_for_a_person(folder):
    text = (folder / "fares.yaml").read_text()
    (folder / "byhand.yaml").write_text(text[: text.index("triggers:")])
    dag = load(folder).dags["byhand.train"]
    assert dag.schedule is None


@pytest.mark.parametrize(
    ("form", "good"),
    [
        ({}, True),
        ({"window": "12", "force": True, "reason": "the feed was fixed"}, True),
        ({"window": "all"}, True),
        ({"window": None, "reason": None}, True),
        ({"window": "0"}, False),
        ({"window": "-3"}, False),
        ({"window": "everything"}, False),
        ({"force": "yes"}, False),
        ({"cooldown": True}, True),
        ({"cooldown": "6h"}, False),
        ({"reason": "x" * 501}, False),
    ],
)
def test_the_form_takes_what_an_order_can_carry(folder, form, good):
    from airflow.sdk.exceptions import ParamValidationError

    fields = load(folder).dags["fares.train"].params
    assert sorted(fields) == ["cooldown", "force", "reason", "window"]
    try:
        for name, value in form.items():
            fields.get_param(name).resolve(value)
    except ParamValidationError:
        assert not good
    else:
        assert good


def test_defaults_of_the_form_are_valid(folder):
    fields = load(folder).dags["fares.train"].params
    assert fields.validate() == {
        "window": None,
        "force": False,
        "cooldown": False,
        "reason": None,
    }


@pytest.mark.parametrize(
    "broken",
    [
        "task: [",
        "task: regression\n",
        "a: &a [1]\nb: *a\n",
        "triggers: {schedule: monday}\n",
        "triggers: {schedule: 0 3 * * 1, timezone: Europe/Atlantis}\n",
        "\x00",
    ],
)
def test_a_broken_yaml_takes_no_other_pipeline_down(folder, broken):
    good = (folder / "fares.yaml").read_text()
    if broken.startswith("triggers"):
        broken = good[: good.index("triggers:")] + broken
    (folder / "aaa.yaml").write_text(broken)
    (folder / "zzz.yaml").write_text(good)
    bag = load(folder)
    assert sorted(bag.dags) == ["fares.monitor", "fares.train", "zzz.monitor", "zzz.train"]
    assert bag.import_errors == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_tasks_process_builds_its_own_dag_alone(folder, monkeypatch, kind):
    (folder / "other.yaml").write_text((folder / "fares.yaml").read_text())
    (folder / "broken.yaml").write_text("]")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", f"fares.{kind}")
    assert list(load(folder).dags) == [f"fares.{kind}"]


def test_parsing_imports_nothing_heavy_and_no_more_for_more_pipelines(folder):
    one = in_a_clean_process(folder)
    text = (folder / "fares.yaml").read_text()
    for number in range(100):
        (folder / f"p{number:03}.yaml").write_text(text)
    many = in_a_clean_process(folder)
    assert one["errors"] == many["errors"] == {}
    assert len(many["dags"]) == 202
    named = [name for name in many["modules"] if not name.startswith("unusual_prefix")]
    assert named == [name for name in one["modules"] if not name.startswith("unusual_prefix")]
    ours = {name.split(".")[0] for name in named}
    assert "fastapi" not in ours
    assert not [
        name
        for name in named
        if name.startswith("everfit.") and not name.startswith("everfit.contracts")
    ]


FURTHER = {
    "everfit_airflow/dags/deployed_dags.py": {"cryptography"},
    "everfit_airflow/runners/docker_engine.py": {"docker", "urllib3"},
    "everfit_airflow/runners/cluster_api.py": {"kubernetes", "urllib3"},
    "everfit_airflow/observability/metrics.py": {"opentelemetry"},
    "everfit_airflow/observability/lineage_facets.py": {"attr", "openlineage"},
    "everfit_airflow/security/signing_keys.py": {"cryptography"},
    "everfit_airflow/ui/store_pages.py": {"botocore"},
    "everfit_docker_guard/": {"everfit_docker_guard", "httpx", "starlette", "uvicorn"},
}
"""What single files and packages of the plugins import besides."""


def test_dag_files_and_plugins_import_only_what_they_may():
    import ast

    allowed = {
        "airflow",
        "pydantic",
        "yaml",
        "fastapi",
        "markdown_it",
        "apprise",
        "everfit_airflow",
        "everfit_launch",
        *sys.stdlib_module_names,
    }
    for path in [*(REPOSITORY / "dags").glob("*.py"), *(REPOSITORY / "plugins").rglob("*.py")]:
        of_file = [more for where, more in FURTHER.items() if f"/plugins/{where}" in str(path)]
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                if name.split(".")[0] == "everfit":
                    assert name.startswith("everfit.contracts"), (path, name)
                else:
                    assert name.split(".")[0] in allowed.union(*of_file), (path, name)
