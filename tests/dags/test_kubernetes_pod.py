"""The pod of a component as a rendered object."""

from __future__ import annotations

import copy
import json
import random
import re

import pytest

from everfit.contracts.errors import RequestError
from everfit.contracts.runners import NEEDS, Cluster, Mount, Place
from everfit_airflow.runners import Task
from everfit_airflow.runners.pod import (
    OUTCOME,
    does_the_same,
    label_value,
    render_pod,
    render_secret,
)
from everfit_airflow.runners.pod_log import PodLog
from tests.dags.pod_security import RULES, broken_rules

ORDER = '{"component":"train","note":"grün"}\n'.encode()


def task(component="train", run="manual__2026-03-02T03:00:00+00:00", dag="fares") -> Task:
    return Task(dag, run, component, -1, "fares", component)


def rendered(component="train", cluster=None, environment=None, has_secret=True, **place):
    return render_pod(
        task(component),
        Place(image="it:1", **place),
        cluster or Cluster(),
        ORDER,
        environment or {},
        has_secret,
    )


FULL = {
    "gpu": 2,
    "mounts": (
        Mount(source="shared", target="/data"),
        Mount(source="shared", target="/models", read_only=False),
        Mount(source="other", target="/other"),
    ),
}
CLUSTER = Cluster(
    pull_secrets=("registry",),
    node_selector={"pool": "gpu"},
    tolerations=({"key": "nvidia.com/gpu", "operator": "Exists"},),
    labels={"team": "pricing"},
    annotations={"cost": "42"},
)


def container(pod):
    [found] = pod["spec"]["containers"]
    return found


@pytest.mark.parametrize("component", [*NEEDS, "validate", "prepare", "train", "evaluate", "gate"])
@pytest.mark.parametrize("full", [False, True])
def test_every_pod_is_clean_under_the_restricted_standard(component, full):
    pod = rendered(component, CLUSTER if full else None, **(FULL if full else {}))
    assert broken_rules(pod) == []


BREAKS = {
    "host_process": lambda pod: of(pod).update(windowsOptions={"hostProcess": True}),
    "host_namespaces": lambda pod: pod["spec"].update(hostPID=True),
    "privileged": lambda pod: of(pod).update(privileged=True),
    "capabilities": lambda pod: of(pod)["capabilities"].update(add=["SYS_ADMIN"]),
    "volume_types": lambda pod: pod["spec"]["volumes"].append({"name": "x", "hostPath": {}}),
    "host_ports": lambda pod: container(pod).update(ports=[{"hostPort": 80}]),
    "host_probes": lambda pod: container(pod).update(livenessProbe={"httpGet": {"host": "x"}}),
    "app_armor": lambda pod: of(pod).update(appArmorProfile={"type": "Unconfined"}),
    "selinux": lambda pod: of(pod).update(seLinuxOptions={"user": "root"}),
    "proc_mount": lambda pod: of(pod).update(procMount="Unmasked"),
    "sysctls": lambda pod: pod["spec"]["securityContext"].update(sysctls=[{"name": "vm.swap"}]),
    "privilege_escalation": lambda pod: of(pod).pop("allowPrivilegeEscalation"),
    "non_root": lambda pod: of(pod).update(runAsNonRoot=False),
    "non_root_user": lambda pod: pod["spec"]["securityContext"].update(runAsUser=0),
    "seccomp": lambda pod: of(pod).update(seccompProfile={"type": "Unconfined"}),
}


def of(pod):
    return container(pod)["securityContext"]


@pytest.mark.parametrize("rule", [rule.__name__ for rule in RULES])
def test_each_rule_of_the_standard_sees_its_breach(rule):
    pod = rendered()
    BREAKS[rule](pod)
    assert broken_rules(pod) == [rule]


@pytest.mark.parametrize(
    ("path", "name"),
    [("", "alsoUnknown"), ("spec", "hostPid"), ("container", "readOnlyRootFileSystem")],
)
@pytest.mark.parametrize("is_broken", [False, True])
def test_the_clients_own_models_know_every_field(path, name, is_broken):
    from kubernetes.client import ApiClient, V1Pod

    pod = rendered(cluster=CLUSTER, **FULL)
    if is_broken:
        {"": pod, "spec": pod["spec"], "container": of(pod)}[path][name] = True
    read = V1Pod.from_dict(copy.deepcopy(pod))
    again = ApiClient().sanitize_for_serialization(read)
    assert (without_empty(again) == without_empty(pod)) is not is_broken


def without_empty(value):
    """Models leave out what is empty."""
    if isinstance(value, dict):
        kept = {name: without_empty(found) for name, found in value.items()}
        return {name: found for name, found in kept.items() if found not in (None, [], {})}
    return [without_empty(found) for found in value] if isinstance(value, list) else value


def test_the_secret_is_what_the_clients_models_know():
    from kubernetes.client import ApiClient, V1Secret

    pod = rendered()
    pod["metadata"]["uid"] = "u-1"
    secret = render_secret(pod, {"EVERFIT_LEDGER": "postgresql://u:p@h/x"})
    read = V1Secret.from_dict(copy.deepcopy(secret))
    assert without_empty(ApiClient().sanitize_for_serialization(read)) == secret
    assert secret["metadata"]["ownerReferences"][0]["uid"] == "u-1"


def test_it_cannot_touch_the_cluster_or_outlive_its_end():
    spec = rendered()["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["restartPolicy"] == "Never"
    assert spec["terminationGracePeriodSeconds"] == 5
    assert spec["serviceAccountName"] == "everfit-components"
    assert spec["securityContext"]["runAsUser"] == 50000
    assert container(rendered())["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_order_is_a_file_and_the_outcome_a_termination_message():
    pod = rendered()
    assert pod["metadata"]["annotations"]["io.everfit.order-document"].encode() == ORDER
    [item] = pod["spec"]["volumes"][0]["downwardAPI"]["items"]
    assert item["path"] == "order.json"
    assert item["fieldRef"]["fieldPath"] == "metadata.annotations['io.everfit.order-document']"
    assert container(pod)["args"] == ["--order", "/task/order.json", "--outcome", OUTCOME]
    assert container(pod)["terminationMessagePath"] == OUTCOME
    assert container(pod)["terminationMessagePolicy"] == "File"
    # The kubelet mounts a file there: it must lie in no volume that is mounted read-only.
    assert not any(
        OUTCOME.startswith(mount["mountPath"]) for mount in container(pod)["volumeMounts"]
    )


def test_what_is_asked_for_is_what_is_allowed():
    resources = container(rendered(cpu=0.25, memory="512Mi", disk="1Gi", gpu=1))["resources"]
    assert (
        resources["requests"]
        == resources["limits"]
        == {
            "cpu": "250m",
            "memory": "512Mi",
            "nvidia.com/gpu": "1",
            "ephemeral-storage": str((1 << 30) + (64 << 20)),
        }
    )
    assert {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}} in rendered()["spec"]["volumes"]
    assert "nvidia.com/gpu" not in container(rendered())["resources"]["limits"]


def test_mounts_are_claims_each_a_volume_once():
    pod = rendered(**FULL)
    assert [v["persistentVolumeClaim"] for v in pod["spec"]["volumes"][2:]] == [
        {"claimName": "shared", "readOnly": False},
        {"claimName": "other", "readOnly": True},
    ]
    assert [
        (m["name"], m["mountPath"], m["readOnly"]) for m in container(pod)["volumeMounts"][2:]
    ] == [
        ("mount-0", "/data", True),
        ("mount-0", "/models", False),
        ("mount-1", "/other", True),
    ]
    assert pod["spec"]["securityContext"]["fsGroup"] == 50000
    assert "fsGroup" not in rendered()["spec"]["securityContext"]


def test_a_folder_of_a_node_is_no_mount():
    with pytest.raises(RequestError, match=r"KUBERNETES-MOUNT /data: .*PersistentVolumeClaim"):
        rendered(mounts=(Mount(source="/srv/data", target="/data"),))


@pytest.mark.parametrize(
    ("pull", "policy"), [("always", "Always"), ("missing", "IfNotPresent"), ("never", "Never")]
)
def test_pull_policy(pull, policy):
    assert container(rendered(pull=pull))["imagePullPolicy"] == policy


def test_variables_are_passed_as_they_are_and_no_secret_is_among_them():
    environment = {"EVERFIT_STORE": "s3://x", "ODD": "$(HOME) $$ $x"}
    pod = rendered(environment=environment)
    given_to = {found["name"]: found["value"] for found in container(pod)["env"]}
    assert given_to["ODD"] == "$$(HOME) $$$$ $$x"  # the kubelet makes one of each pair
    assert given_to["EVERFIT_OUTCOME_LIMIT"] == "4096" and given_to["HOME"] == "/tmp"
    assert container(pod)["envFrom"] == [{"secretRef": {"name": pod["metadata"]["name"]}}]
    assert container(rendered(has_secret=False))["envFrom"] == []


@pytest.mark.parametrize("component", [*NEEDS, "train", "gate"])
def test_needs_are_labels(component):
    labels = rendered(component)["metadata"]["labels"]
    found = {name.removeprefix("io.everfit.needs-") for name in labels if "needs-" in name}
    assert found == set(NEEDS.get(component, ("store",)))
    assert all(labels[f"io.everfit.needs-{need}"] == "true" for need in found)


def test_ours_win_over_the_installations_labels():
    cluster = Cluster(
        labels={"io.everfit.task": "x", "team": "a"}, annotations={"io.everfit.order": "x"}
    )
    pod = rendered(cluster=cluster)
    assert pod["metadata"]["labels"]["team"] == "a"
    assert pod["metadata"]["labels"]["io.everfit.task"] == pod["metadata"]["name"]
    assert pod["metadata"]["annotations"]["io.everfit.order"] != "x"


def test_an_order_larger_than_annotations_may_be_is_refused():
    with pytest.raises(RequestError, match=r"KUBERNETES-ORDER fares: .*200 KiB.*300 KiB"):
        render_pod(task(), Place(), Cluster(), b"x" * (300 << 10), {}, False)


def test_the_same_work_is_the_same_order_and_image():
    pod = rendered()
    assert does_the_same(pod, rendered(cpu=8))
    other = render_pod(task(), Place(image="it:2"), Cluster(), ORDER, {}, True)
    assert not does_the_same(other, pod)
    other = render_pod(task(), Place(image="it:1"), Cluster(), ORDER + b" ", {}, True)
    assert not does_the_same(other, pod)
    assert not does_the_same({"metadata": {}}, pod)


LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")


LETTERS = "abcXYZ019-_. :+/éß漢\t\n"


def texts(seed, longest):
    """Texts of every length up to the longest, of letters that may and may not be in a label."""
    chance = random.Random(seed)
    return ["".join(chance.choices(LETTERS, k=length)) for length in range(longest)]


@pytest.mark.parametrize("text", [*texts(1, 200), "a" * 63, "a" * 64, "-a", "a-", "fares_", ""])
def test_any_text_becomes_the_value_of_a_label(text):
    value = label_value(text)
    assert len(value) <= 63 and LABEL.fullmatch(value)
    if len(text) <= 63 and LABEL.fullmatch(text):
        assert value == text


def test_labels_of_different_texts_differ():
    every = {*texts(2, 200), *texts(3, 200), "x" * 100, "x" * 101, "x y", "x:y"}
    assert len({label_value(text) for text in every}) == len(every)


@pytest.mark.parametrize("text", [text for text in texts(4, 250) if len(text) % 10 == 1])
def test_any_dag_and_run_make_a_valid_pod(text):
    pod = render_pod(task(run=text, dag=text[::-1]), Place(), Cluster(), ORDER, {}, False)
    assert all(LABEL.fullmatch(v) and len(v) <= 63 for v in pod["metadata"]["labels"].values())
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", pod["metadata"]["name"])
    json.dumps(pod)


@pytest.mark.parametrize("cut", range(13))
@pytest.mark.parametrize("per_second", [1, 2, 5, 20])
def test_a_log_read_again_from_its_second_gives_each_line_once(cut, per_second):
    said = list("aabacabbbaca")
    lines = [
        f"2026-01-01T00:00:{at // per_second:02}.{at // 2:09}Z {text}".encode()
        for at, text in enumerate(said)
    ]
    heard: list[str] = []
    log = PodLog(heard.append)
    log.opened()
    for line in lines[:cut]:
        log.take(line)
    log.opened()
    since = (log.since or "").removesuffix("Z")
    for line in lines:
        if line[:19].decode() >= since:
            log.take(line)
    assert heard == said and log.last == said[-1]
