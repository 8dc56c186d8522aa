"""deploy/kubernetes: what an installation takes over, compared with the pods and the programs."""

from __future__ import annotations

import copy
import importlib
import json
import re
from pathlib import Path

import pytest
import yaml
from airflow.configuration import conf

from everfit.contracts.runners import NEEDS, RunnerSettings, needs
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.version import VERSION
from everfit_airflow.runners import Task
from everfit_airflow.runners.pod import USER, render_pod
from tests.dags.pod_security import broken_rules

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy" / "kubernetes"
COMPONENTS = [*NEEDS, "validate", "prepare", "train", "evaluate", "gate", "monitor"]


def objects(kind: str) -> list[dict]:
    found = [
        document
        for path in sorted(DEPLOY.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
    ]
    return [document for document in found if document.get("kind") == kind]


def values() -> dict:
    return yaml.safe_load((DEPLOY / "values.yaml").read_text())


@pytest.fixture(scope="module")
def runners() -> RunnerSettings:
    return RunnerSettings.model_validate(yaml.safe_load((DEPLOY / "runners.yaml").read_text()))


@pytest.fixture(scope="module")
def spec() -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "fares",
            "task": "regression",
            "target": "fare",
            "source": {"uri": "{data}/*.csv"},
            "window": {"spans": 3},
            "train": {"families": ["linear"]},
            "gate": {"superior_by": "1%", "baseline": "median", "limits": {"mae": {"max": 5}}},
        }
    )


@pytest.fixture(scope="module")
def pod(runners, spec):
    """Gives the pod of a component, as this installation would make it."""

    def make(component: str) -> dict:
        task = Task("fares.train", "manual__1", component, -1, "fares", component)
        place = runners.place(spec, component)
        return render_pod(task, place, runners.kubernetes, b"{}\n", {}, True)

    return make


def matches(selector: dict, labels: dict) -> bool:
    wanted = selector.get("matchLabels") or {}
    assert set(selector) <= {"matchLabels"}, "a test for other selectors is missing here"
    return wanted.items() <= labels.items()


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_runners_file_starts_every_component_as_a_clean_pod(runners, spec, pod, component):
    assert runners.place(spec, component).runner == "kubernetes"
    assert broken_rules(pod(component)) == []


@pytest.mark.parametrize("component", COMPONENTS)
def test_network_policies_select_pods_by_what_they_need(pod, component):
    labels = pod(component)["metadata"]["labels"]
    applied = {
        policy["metadata"]["name"]
        for policy in objects("NetworkPolicy")
        if matches(policy["spec"]["podSelector"], labels)
    }
    assert applied == {"nothing-by-default", "names", *needs(component)}


def test_what_no_policy_opens_is_closed():
    [closed] = [
        policy["spec"]
        for policy in objects("NetworkPolicy")
        if policy["metadata"]["name"] == "nothing-by-default"
    ]
    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for policy in objects("NetworkPolicy"):
        for rule in policy["spec"].get("egress", []) + policy["spec"].get("ingress", []):
            assert rule.get("to") or rule.get("from"), "a rule without peers opens to everybody"
            assert rule["ports"]


KINDS = (
    "Namespace",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "NetworkPolicy",
    "Service",
    "Deployment",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_broken", [False, True])
def test_the_clients_own_models_know_every_field(kind, is_broken):
    from kubernetes import client

    for document in objects(kind):
        if is_broken:
            document["specification"] = {}
        read = getattr(client, f"V1{kind}").from_dict(copy.deepcopy(document))
        again = client.ApiClient().sanitize_for_serialization(read)
        assert (without_empty(again) == without_empty(document)) is not is_broken


def without_empty(value):
    """Models leave out what is empty; ports are numbers or names."""
    if isinstance(value, dict):
        kept = {name: without_empty(found) for name, found in value.items()}
        return {name: found for name, found in kept.items() if found not in (None, [])}
    return [without_empty(found) for found in value] if isinstance(value, list) else value


def test_no_file_holds_another_kind():
    found = {
        document["kind"]
        for path in DEPLOY.glob("*.yaml")
        for document in yaml.safe_load_all(path.read_text())
        if "kind" in document
    }
    assert found == set(KINDS)


def test_the_namespace_lets_restricted_pods_in_alone(runners):
    [namespace] = objects("Namespace")
    assert namespace["metadata"]["name"] == runners.kubernetes.namespace
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for kind in ("Role", "RoleBinding", "NetworkPolicy", "Deployment", "Service"):
        assert {found["metadata"]["namespace"] for found in objects(kind)} == {"everfit"}


def test_workers_may_do_what_the_runner_does_and_nothing_more():
    [role], [binding] = objects("Role"), objects("RoleBinding")
    allowed = {
        (resource, verb)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert allowed == {
        ("pods", "create"),
        ("pods", "get"),
        ("pods", "watch"),
        ("pods", "delete"),
        ("pods/log", "get"),
        ("secrets", "create"),
        ("secrets", "delete"),
    }
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    account = values()["workers"]["serviceAccount"]
    assert [subject["name"] for subject in binding["subjects"]] == [account["name"]]
    assert account["automountServiceAccountToken"] is True


def test_components_run_as_an_account_without_a_token(runners):
    [account] = objects("ServiceAccount")
    assert account["metadata"]["name"] == runners.kubernetes.service_account
    assert account["automountServiceAccountToken"] is False


def test_the_lister_is_a_clean_pod_that_its_service_finds():
    [deployment], [service] = objects("Deployment"), objects("Service")
    template = deployment["spec"]["template"]
    assert broken_rules(template) == []
    assert template["spec"]["securityContext"]["runAsUser"] == USER
    labels = template["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert service["spec"]["selector"].items() <= labels.items()
    applied = {
        policy["metadata"]["name"]
        for policy in objects("NetworkPolicy")
        if matches(policy["spec"]["podSelector"], labels)
    }
    assert applied == {"nothing-by-default", "names", "source", "lister"}
    variables = {found["name"]: found["value"] for found in values()["env"]}
    assert variables["EVERFIT_LISTER"] == (
        f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
        f":{service['spec']['ports'][0]['port']}"
    )


def test_images_are_those_of_this_version(runners, spec):
    [deployment] = objects("Deployment")
    [lister] = deployment["spec"]["template"]["spec"]["containers"]
    assert lister["image"] == runners.place(spec, "train").image == f"everfit-components:{VERSION}"
    assert values()["images"]["airflow"]["tag"] == VERSION


def test_the_charts_airflow_is_the_one_installed():
    assert values()["airflowVersion"] == importlib.import_module("airflow").__version__


def test_every_option_of_the_config_is_one_that_airflow_knows():
    known = conf.configuration_description
    for section, options in values()["config"].items():
        for option in options:
            assert option in known[section]["options"], f"[{section}] {option}"


def test_every_variable_is_documented():
    page = (REPOSITORY / "docs" / "reference" / "settings.md").read_text() + (
        REPOSITORY / "docs" / "how-to" / "docker.md"
    ).read_text()
    [deployment] = objects("Deployment")
    [lister] = deployment["spec"]["template"]["spec"]["containers"]
    for found in (*values()["env"], *lister["env"]):
        if found["name"].startswith("EVERFIT_"):
            assert f"`{found['name']}`" in page, found["name"]


def test_files_that_variables_name_are_mounted():
    chart = values()
    mounted = {found["mountPath"]: found["name"] for found in chart["volumeMounts"]}
    volumes = {found["name"] for found in chart["volumes"]}
    for name in ("EVERFIT_RUNNERS", "EVERFIT_LISTER_TOKEN"):
        [path] = [found["value"] for found in chart["env"] if found["name"] == name]
        assert mounted[str(Path(path).parent)] in volumes


VARIABLE = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"


def test_no_option_of_the_config_is_overruled_by_a_variable_of_the_image():
    set_in_image = dict(
        re.findall(r"\b(AIRFLOW__\w+)='?([^\s']+)", (REPOSITORY / "Dockerfile").read_text())
    )
    for section, options in values()["config"].items():
        for option, value in options.items():
            variable = f"AIRFLOW__{section}__{option}".upper()
            assert set_in_image.get(variable, value) == value, variable


def test_bundles_are_classes_and_errors_are_read_where_git_puts_the_specs():
    variables = {found["name"]: found["value"] for found in values()["env"]}
    # A variable: the image has one of this name, which would count before the chart's file.
    assert VARIABLE in (REPOSITORY / "Dockerfile").read_text()
    dags, errors = json.loads(variables[VARIABLE])
    module, _, name = errors["classpath"].rpartition(".")
    assert hasattr(importlib.import_module(module), name)
    assert dags["classpath"] == "airflow.providers.git.bundles.git.GitDagBundle"
    storage = values()["config"]["dag_processor"]["dag_bundle_storage_path"]
    assert errors["kwargs"]["pipelines"] == (
        f"{storage}/{dags['name']}/tracking_repo/{dags['kwargs']['subdir']}/pipelines"
    )


SECRETS = {
    "pass",
    "password",
    "fernetKey",
    "jwtSecret",
    "apiSecretKey",
    "brokerUrl",
    "secret",
    "extraSecrets",
    "stringData",
    "webserverSecretKey",
}


def keys_of(value) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(key for found in value.values() for key in keys_of(found))}
    return {key for found in value for key in keys_of(found)} if isinstance(value, list) else set()


def test_secrets_are_named_and_never_held():
    # "secret" is also how a volume names one: then it holds a name, not a value.
    chart = {name: found for name, found in values().items() if name != "volumes"}
    assert keys_of(chart) & SECRETS == set()
    assert objects("Secret") == []
