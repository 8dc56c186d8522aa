"""A task of Airflow whose component is a pod: settings, credentials, ends."""

from __future__ import annotations

import base64
import json
import threading

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from everfit.contracts.base import canonical_json
from everfit_airflow.operators.failures import ComponentFailed, UserActionRequired
from tests.dags.kubernetes_cluster import Cluster, until
from tests.dags.tasks import OUTCOME, Memory, Ti, context, task

RUNNERS = """
default: {runner: kubernetes, image: "it:1", memory: 512Mi}
kubernetes: {namespace: everfit}
"""
CANARY = "canary-77c1-secret"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    made = Cluster(tmp_path)
    (tmp_path / "runners.yaml").write_text(RUNNERS)
    for name, value in {
        "KUBECONFIG": str(made.kubeconfig),
        "EVERFIT_RUNNERS": str(tmp_path / "runners.yaml"),
        "EVERFIT_STORE": "s3://models",
        "EVERFIT_LEDGER": f"postgresql+psycopg://everfit:{CANARY}@db/everfit",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://not-for-components",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    yield made
    made.close()


class Working:
    """A task at work in a thread, and the pod it has made."""

    def __init__(self, cluster, folder, memory=None) -> None:
        self.ti, self.given, self.error = Ti(), None, None
        self.ti.xcoms = {"plan": [{**OUTCOME, "component": "plan"}]}
        self.operator = task(folder)

        def run() -> None:
            try:
                self.given = self.operator.execute(context(memory, self.ti))
            except BaseException as error:
                self.error = error

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        self.name = until(
            lambda: next((name for kind, name in cluster.objects if kind == "pods"), None), "a pod"
        )

    def end(self):
        self.thread.join(60)
        assert not self.thread.is_alive()
        if self.error is not None:
            raise self.error
        return self.given


def ended(cluster, name, code, message="", reason="Error"):
    terminated = {"exitCode": code, "message": message, "reason": reason}
    states = [{"name": "component", "state": {"terminated": terminated}}]
    cluster.logs.end(name)
    cluster.status(name, {"phase": "Failed" if code else "Succeeded", "containerStatuses": states})


def test_the_outcome_of_the_pod_is_the_xcom(cluster, folder):
    working = Working(cluster, folder)
    pod = cluster.get("pods", working.name)
    secret = until(lambda: cluster.get("secrets", working.name), "its Secret")
    ended(cluster, working.name, 0, canonical_json(OUTCOME).decode(), "Completed")
    assert working.end() == OUTCOME
    variables = {found["name"]: found["value"] for found in pod["spec"]["containers"][0]["env"]}
    assert variables["EVERFIT_STORE"] == "s3://models"
    assert pod["spec"]["containers"][0]["resources"]["limits"]["memory"] == "512Mi"
    order = json.loads(pod["metadata"]["annotations"]["io.everfit.order-document"])
    assert order["component"] == "extract" and order["pipeline"]["name"] == "fares"
    assert CANARY not in json.dumps(pod) and "not-for-components" not in json.dumps(pod)
    assert CANARY in base64.b64decode(secret["data"]["EVERFIT_LEDGER"]).decode()
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in secret["data"]


@pytest.mark.parametrize(
    ("code", "message", "reason", "error", "line"),
    [
        (137, "", "OOMKilled", ComponentFailed, "OUT-OF-MEMORY extract: .*512Mi.*Raise its memory"),
        (2, "", "Error", UserActionRequired, "extract gave no message"),
        (75, "", "Error", ComponentFailed, "extract gave no message"),
        (
            3,
            '{"nothing_to_do":"no span is new"}',
            "Error",
            AirflowSkipException,
            "extract gave no message",
        ),
        (0, "", "Completed", ComponentFailed, "OUTCOME extract: .*left none"),
        (128, "no such file", "StartError", ComponentFailed, "KUBERNETES-START .*no such file"),
    ],
)
def test_ends_are_told_as_of_any_component(cluster, folder, code, message, reason, error, line):
    working = Working(cluster, folder)
    ended(cluster, working.name, code, message, reason)
    with pytest.raises(error, match=line) as told:
        working.end()
    assert isinstance(told.value, UserActionRequired) == (error is UserActionRequired)


def test_a_killed_task_takes_its_pod_along(cluster, folder):
    working = Working(cluster, folder)
    cluster.status(
        working.name,
        {
            "phase": "Running",
            "containerStatuses": [{"name": "component", "state": {"running": {}}}],
        },
    )
    until(lambda: cluster.logs.asked, "the log")
    working.operator.on_kill()
    with pytest.raises(ComponentFailed, match="KILLED extract: ended by signal 15"):
        working.end()
    until(lambda: not cluster.objects, "the end of pod and Secret")


def test_a_second_try_goes_on_with_the_pod_of_the_first(cluster, folder):
    memory = Memory()
    first = Working(cluster, folder, memory)
    uid = cluster.get("pods", first.name)["metadata"]["uid"]
    until(lambda: memory, "what to remember")
    cluster.wire.away(True)  # the first worker is cut off, and never heard of again
    first.operator._runner._stopped = True
    with pytest.raises(ComponentFailed):
        first.end()
    cluster.wire.away(False)
    second = Working(cluster, folder, memory)
    assert cluster.get("pods", second.name)["metadata"]["uid"] == uid
    until(lambda: sum("POST" in seen and "/pods" in seen for seen in cluster.seen) > 1, "a try")
    ended(cluster, second.name, 0, canonical_json(OUTCOME).decode(), "Completed")
    assert second.end() == OUTCOME
