"""Which runner a component gets, and what: the settings, in every layer, and their mistakes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from everfit.contracts import runners as contract
from everfit.contracts.errors import UserError
from everfit.contracts.runners import Place, RunnerSettings
from everfit.contracts.settings import Settings
from everfit.contracts.spec.load import load_spec
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.fingerprints import KERNEL_VARIABLES
from everfit_airflow.operators.failures import ComponentFailed, UserActionRequired
from everfit_airflow.runners import Ending, Task
from everfit_airflow.runners.choice import (
    choose,
    fence,
    installation,
    lasting,
    makes_its_key,
    place_of,
)
from everfit_airflow.runners.docker import DockerRunner
from everfit_airflow.runners.kubernetes import KubernetesRunner
from everfit_airflow.runners.process import ProcessRunner
from everfit_airflow.security.child_environment import HANDED_ON, container_environment
from tests.dags.conftest import REPOSITORY
from tests.dags.tasks import OUTCOME, Ti, context, leave, task

EXAMPLE = REPOSITORY / "deploy" / "runners.example.yaml"
PAGE = REPOSITORY / "docs" / "how-to" / "docker.md"
TASK = Task("fares", "manual__1", "train", -1, "fares", "train")


@pytest.fixture
def written(tmp_path):
    def write(text: str) -> dict[str, str]:
        path = tmp_path / "runners.yaml"
        path.write_text(text)
        return {"EVERFIT_RUNNERS": str(path)}

    return write


@pytest.fixture
def spec(folder) -> PipelineSpec:
    return load_spec(folder / "fares.yaml")


def named(spec: PipelineSpec, image: str, component: str = "train") -> PipelineSpec:
    return PipelineSpec.model_validate({**spec.model_dump(), "images": {component: image}})


def test_without_settings_components_are_processes(spec):
    assert installation({}) == RunnerSettings()
    assert place_of(installation({}), spec, "train").runner == "process"


def test_the_quick_choice_is_for_what_the_file_does_not_say(spec, written):
    environ = written("components: {train: {runner: kubernetes}}\n")
    settings = installation({**environ, "EVERFIT_RUNNER": "docker"})
    assert place_of(settings, spec, "plan").runner == "docker"
    assert place_of(settings, spec, "train").runner == "kubernetes"
    environ = written("default: {runner: process}\n")
    settings = installation({**environ, "EVERFIT_RUNNER": "docker"})
    assert place_of(settings, spec, "plan").runner == "process"


def test_what_is_said_closer_wins(spec, written):
    text = """
default: {runner: docker, memory: 1Gi, cpu: 1, environment: {A: default, B: default}}
components: {train: {memory: 2Gi, environment: {B: train}}}
pipelines:
  fares: {cpu: 3, components: {train: {pids: 99, environment: {C: fares}}}}
  other: {memory: 9Gi}
"""
    place = place_of(installation(written(text)), spec, "train")
    assert (place.memory, place.cpu, place.pids) == ("2Gi", 3, 99)
    assert place.environment == {"A": "default", "B": "train", "C": "fares"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("defualt: {}", "1 problem: line 1: defualt: is no field here; did you mean 'default'?"),
        ("default: {memry: 1Gi}", "default.memry: is no field here; did you mean 'memory'?"),
        ("default: {memory: lots}", "default.memory: a size is a whole number with k, M, G"),
        ("default: {cpu: 0}\ncomponents: {trian: {}}", "2 problems: line 1: default.cpu: input"),
        ("default: {environment: {A-B: c}}", "default.environment.A-B"),
        (
            "pipelines: {fares: {components: {train: {runner: dokcer}}}}",
            "pipelines.fares.components.train.runner: input should be 'process', 'docker'",
        ),
        ("default: &a {}\ncomponents: {train: *a}", "anchors and aliases"),
        ("- a list", "must be a mapping"),
        ("a: [", "line"),
    ],
)
def test_a_mistake_is_told_with_file_and_field(written, text, says):
    environ = written(text)
    with pytest.raises(UserError) as caught:
        installation(environ)
    assert str(caught.value).startswith(f"RUNNERS {environ['EVERFIT_RUNNERS']}: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_told():
    with pytest.raises(UserError, match=r"RUNNERS /nowhere/r\.yaml: .*No such file"):
        installation({"EVERFIT_RUNNERS": "/nowhere/r.yaml"})


def test_a_runner_that_there_is_not_is_told():
    with pytest.raises(UserError, match=r"RUNNERS EVERFIT_RUNNER: .*Did you mean 'docker'\?"):
        installation({"EVERFIT_RUNNER": "dokcer"})


def test_an_image_that_a_pipeline_names_must_be_allowed(spec, written):
    image = "registry.example.org/models/trees@sha256:" + "a" * 64
    theirs = named(spec, image)
    settings = installation(written("default: {runner: docker}\nallow_images: ['*/models/*']\n"))
    assert place_of(settings, theirs, "train").image == image
    assert place_of(settings, theirs, "plan").image == Place().image
    settings = installation(written("default: {runner: docker}\nallow_images: ['other/*']\n"))
    with pytest.raises(UserError, match=r"IMAGES fares: .*trees.* fits none of: other/\*\..*allow"):
        place_of(settings, theirs, "train")


def test_an_image_of_its_own_is_no_process(spec):
    with pytest.raises(UserError, match=r"IMAGES fares: .*train names e/f:1 and is started as a p"):
        place_of(RunnerSettings(), named(spec, "e/f:1"), "train")


@pytest.mark.parametrize(
    ("runner", "kind"),
    [("process", ProcessRunner), ("docker", DockerRunner), ("kubernetes", KubernetesRunner)],
)
def test_each_runner_is_to_be_had(spec, folder, component, runner, kind):
    component("exit 0\n")
    environ = {"EVERFIT_PYTHON": str(folder.parents[1] / "python"), "EVERFIT_RUNNER": runner}
    here = Settings.from_environment({"EVERFIT_ROOT": str(folder.parents[1])})
    chosen = choose(installation(environ), spec, "train", TASK, here, environ)
    assert isinstance(chosen.runner, kind)


AROUND = {
    "EVERFIT_STORE": "s3://store",
    "EVERFIT_DATA": "s3://data",
    "EVERFIT_ROOT": "/opt/airflow",
    "EVERFIT_PYTHON": "/usr/bin/python",
    "EVERFIT_LEDGER": "postgresql://u:hunter2@h/l",
    "EVERFIT_NOTIFY": "slack:#x",
    "AIRFLOW__CORE__FERNET_KEY": "hunter2",
    "PYTHONPATH": "/x",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "HOME": "/root",
    "PATH": "/usr/bin",
    "DOCKER_HOST": "tcp:",
    "OPENBLAS_CORETYPE": "Haswell",
}


def test_a_container_sees_little_of_what_is_around_airflow(spec, written, folder):
    environ = {**AROUND, **written("default: {runner: docker, environment: {HOME: /home, A: b}}")}
    here = Settings.from_environment({"EVERFIT_ROOT": str(folder.parents[1])})
    chosen = choose(installation(environ), spec, "train", TASK, here, environ)
    assert chosen.environment == {
        "HOME": "/home",
        "A": "b",
        "EVERFIT_HOME": "/tmp/everfit",
        "EVERFIT_STORE": "s3://store",
        "EVERFIT_DATA": "s3://data",
        "OPENBLAS_CORETYPE": "Haswell",
    }


def test_what_chooses_the_kernels_is_handed_on():
    assert set(KERNEL_VARIABLES) <= set(HANDED_ON)
    assert "EVERFIT_STORE" not in container_environment({"EVERFIT_STORE": ""})


VOLUME = {"source": "everfit", "target": "/everfit", "read_only": False}
SERVICES = {"EVERFIT_STORE": "s3://store", "EVERFIT_LEDGER": "postgresql+psycopg://h/l"}


@pytest.mark.parametrize(
    ("place", "component", "environment", "lost"),
    [
        ({}, "train", {}, "EVERFIT_STORE, EVERFIT_LEDGER"),
        ({}, "train", SERVICES, ""),
        ({}, "register", SERVICES, "EVERFIT_MLFLOW"),
        ({}, "register", {**SERVICES, "EVERFIT_MLFLOW": "http://mlflow:5000"}, ""),
        ({}, "train", {**SERVICES, "EVERFIT_STORE": "memory://"}, "EVERFIT_STORE"),
        ({"mounts": [VOLUME]}, "register", {}, "EVERFIT_STORE, EVERFIT_LEDGER, EVERFIT_MLFLOW"),
        ({"mounts": [VOLUME]}, "register", {"EVERFIT_HOME": "/everfit"}, ""),
        (
            {"mounts": [{**VOLUME, "read_only": True}]},
            "train",
            {"EVERFIT_HOME": "/everfit"},
            "EVERFIT_STORE, EVERFIT_LEDGER",
        ),
        ({"runner": "process"}, "register", {}, ""),
    ],
)
def test_what_a_container_keeps_must_outlive_it(place, component, environment, lost):
    where = Place.model_validate({"runner": "docker", **place})
    given = container_environment({}) | environment
    if not lost:
        lasting(where, component, given, {})
        return
    with pytest.raises(UserError, match=f"RUNNERS-STORE {component}: .*; {lost} would be in a"):
        lasting(where, component, given, {})


def test_credentials_count_and_are_not_shown():
    ledger = {"EVERFIT_LEDGER": "sqlite:////tmp/hunter2"}
    with pytest.raises(UserError) as caught:
        lasting(Place(runner="docker"), "train", SERVICES, ledger)
    assert "hunter2" not in str(caught.value)


def test_a_key_made_in_a_home_that_lasts_lasts():
    home = {"EVERFIT_HOME": "/everfit"}
    assert makes_its_key(Place.model_validate({"mounts": [VOLUME]}), home)
    assert not makes_its_key(Place(), home)
    assert not makes_its_key(Place.model_validate({"mounts": [VOLUME]}), {})


def test_what_an_earlier_try_left_is_ended_by_its_own_runner(spec, written, folder, monkeypatch):
    environ = written("default: {runner: docker}")
    here = Settings.from_environment({"EVERFIT_ROOT": str(folder.parents[1])})
    settings, ended = installation(environ), []
    for runner in (ProcessRunner, DockerRunner, KubernetesRunner):
        monkeypatch.setattr(runner, "fence", lambda self, left: ended.append(type(self)))
    chosen = choose(settings, spec, "train", TASK, here, environ)
    for left in ({"group": 7}, {"runner": "docker"}, {"runner": "kubernetes"}, {"runner": "?"}):
        fence(left, settings, chosen, "train", TASK)
    assert ended == [ProcessRunner, KubernetesRunner]  # one of its own kind it takes over


def test_an_engine_that_is_gone_holds_up_no_process(spec, folder, component, monkeypatch):
    component("exit 0\n")
    environ = {"EVERFIT_PYTHON": str(folder.parents[1] / "python")}
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    here = Settings.from_environment({"EVERFIT_ROOT": str(folder.parents[1])})
    chosen = choose(RunnerSettings(), spec, "train", TASK, here, environ)
    left = {"runner": "docker", "container": TASK.name}
    said = fence(left, RunnerSettings(), chosen, "train", TASK)
    assert said is not None
    assert said.startswith("What an earlier try left could not be ended: DOCKER-ENGINE tcp://127")


@pytest.mark.parametrize(
    ("text", "failure", "says"),
    [
        ("default: {runner: dokcer}", UserActionRequired, "RUNNERS .*default.runner"),
        ("default: {runner: docker}", UserActionRequired, "RUNNERS-STORE extract"),
        ("{}", ComponentFailed, "LEDGER: did not answer"),
    ],
)
def test_a_task_says_what_is_wrong_with_the_settings(
    folder, component, written, monkeypatch, text, failure, says
):
    for name, value in written(text).items():
        monkeypatch.setenv(name, value)
    component("echo 'LEDGER: did not answer.' >&2; exit 75\n")
    ti = Ti({"plan": [{**OUTCOME, "component": "plan"}]})
    with pytest.raises(failure, match=says) as caught:
        task(folder).execute(context(ti=ti))
    assert type(caught.value) is failure
    assert re.search(says, ti.pushed["because"])


@pytest.mark.parametrize(
    ("ending", "says"),
    [
        (
            Ending(-9, None, "fitting", out_of_memory=True),
            "OUT-OF-MEMORY extract: a component must stay within its memory; it needed more than "
            "3Gi and was stopped. Raise its memory in the runners file (EVERFIT_RUNNERS). "
            "Last line: fitti",
        ),
        (
            Ending(-9, None, "fitting"),
            "KILLED extract: ended by signal 9, by someone or because the machine ran out of "
            "memory; last line: fitting",
        ),
        (Ending(-15, None, ""), "KILLED extract: ended by signal 15; last line: extract gave no"),
    ],
)
def test_how_a_container_ended_is_told(folder, ending, says):
    with pytest.raises(ComponentFailed) as caught:
        task(folder)._outcome_of(ending, Place(runner="docker", memory="3Gi"), Ti())
    assert str(caught.value).startswith(says)
    assert not isinstance(caught.value, UserActionRequired)


def test_further_variables_reach_a_process_too(folder, component, tmp_path, written, monkeypatch):
    environ = written("default: {environment: {MY_OWN: thing, EVERFIT_VERIFY_KEY: theirs}}")
    for name, value in {**environ, "EVERFIT_VERIFY_KEY": "ed25519:" + "A" * 43 + "="}.items():
        monkeypatch.setenv(name, value)
    component(f'echo "$MY_OWN $EVERFIT_VERIFY_KEY" > {tmp_path}/seen\n' + leave(OUTCOME))
    task(folder).execute(context())
    # Credentials are never what the runners file says.
    assert (tmp_path / "seen").read_text() == "thing ed25519:" + "A" * 43 + "=\n"


def test_the_example_is_right_and_shows_every_part(spec):
    settings = installation({"EVERFIT_RUNNERS": str(EXAMPLE)})
    place = place_of(settings, spec, "train")
    assert (place.runner, place.cpu, place.memory) == ("docker", 4, "8Gi")
    assert settings.networks_of(place, "register") == ("everfit_store", "everfit_registry")
    assert settings.may_name("registry.example.org/models/x@sha256:1")
    assert settings.pipelines["scratch"].runner == "process"
    shown = settings.model_fields_set
    assert shown == set(RunnerSettings.model_fields) - {"kubernetes"}


def test_every_field_is_described():
    page = PAGE.read_text()
    models = ("Place", "Mount", "Networks", "Connections", "Cluster", "RunnerSettings")
    missing = [
        f"{model}.{field}"
        for model in models
        for field in getattr(contract, model).model_fields
        if f"`{field}`" not in page
    ]
    assert missing == []


def test_the_page_shows_what_parses(tmp_path):
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert blocks
    for number, block in enumerate(blocks):
        path = Path(tmp_path, f"{number}.yaml")
        path.write_text(block)
        installation({"EVERFIT_RUNNERS": str(path)})
