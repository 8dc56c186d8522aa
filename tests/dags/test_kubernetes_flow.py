"""The flow of the kubernetes runner, with the real client on real sockets.

Against a stand-in of the API server; ``make kubernetes`` runs the same against a real one.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from pathlib import Path

import pytest

from everfit.contracts.errors import EXIT_USER, EverfitError, Unavailable
from everfit.contracts.runners import Cluster as ClusterSettings
from everfit.contracts.runners import Place
from everfit_airflow.runners import Task
from everfit_airflow.runners.kubernetes import KubernetesRunner, Patience
from tests.dags.kubernetes_api_server import ApiServer
from tests.dags.kubernetes_cluster import Cluster, until

ORDER = b'{"component":"train","pipeline":{"name":"fares"}}\n'
OUTCOME = '{"component":"train","result":"' + "ab" * 32 + '"}\n'
CANARY = "canary-3f9a-secret"
QUICK = Patience(away=60, image=0.5, start=0.8, pause=0.05, watch=1)
PATIENT = Patience(away=60, image=60, start=60, pause=0.05, watch=2)

BINARIES = os.environ.get("EVERFIT_TEST_API_SERVER", "")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if not BINARIES:
        yield None
        return
    made = ApiServer(Path(BINARIES), tmp_path_factory.mktemp("api-server"))
    yield made
    made.close()


@pytest.fixture
def cluster(server, tmp_path, monkeypatch):
    made = server.fresh(tmp_path) if server else Cluster(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(made.kubeconfig))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    yield made
    made.close()


def task(run: str = "manual__2026-03-02T03:00:00+00:00") -> Task:
    return Task("fares", run, "train", 0, "fares", "train")


NAME = task().name


class Running:
    """A runner at work in a thread."""

    def __init__(self, patience=PATIENT, order=ORDER, place=None, secrets=None) -> None:
        settings = ClusterSettings(service_account="default")
        self.runner = KubernetesRunner(place or Place(image="it:1"), task(), settings, patience)
        self.lines: list[str] = []
        self.told: list[dict] = []
        self.ending, self.error = None, None

        def run() -> None:
            try:
                self.ending = self.runner.run(
                    order,
                    {"EVERFIT_STORE": "s3://models"},
                    {"AWS_SECRET_ACCESS_KEY": CANARY} if secrets is None else secrets,
                    self.lines.append,
                    self.told.append,
                )
            except EverfitError as error:
                self.error = error

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    @property
    def remembered(self) -> dict:
        return self.told[-1] if self.told else {}

    def end(self):
        self.thread.join(60)
        assert not self.thread.is_alive(), self.lines
        if self.error is not None:
            raise self.error
        return self.ending


def pod(cluster):
    return cluster.get("pods", NAME)


def of_container(state, **further):
    return {"containerStatuses": [{"name": "component", "state": state}], **further}


def works(cluster, *lines):
    until(lambda: pod(cluster), "the pod")
    cluster.status(NAME, of_container({"running": {}}, phase="Running"))
    cluster.logs.say(NAME, *lines)


def ends(cluster, code=0, left="", because="Completed", **further):
    cluster.logs.end(NAME)
    phase = "Failed" if code else "Succeeded"
    terminated = {"exitCode": code, "message": left, "reason": because}
    cluster.status(NAME, {**of_container({"terminated": terminated}, phase=phase), **further})


def test_a_pod_is_made_followed_collected_and_taken_away(cluster):
    running = Running()
    until(lambda: running.told, "what to remember, before it works: it may never be scheduled")
    works(cluster, "fold 1 of 3")
    until(lambda: "fold 1 of 3" in running.lines, "the first line, while the pod works")
    assert len(running.told) == 2
    assert running.remembered == {
        "runner": "kubernetes",
        "pod": NAME,
        "namespace": "everfit",
        "uid": pod(cluster)["metadata"]["uid"],
    }
    cluster.logs.say(NAME, "fold 2 of 3", "", "  fold 3 of 3")
    ends(cluster, left=OUTCOME)
    ending = running.end()
    assert (ending.code, ending.outcome, ending.out_of_memory) == (0, OUTCOME.encode(), False)
    assert running.lines[1:] == ["fold 1 of 3", "fold 2 of 3", "  fold 3 of 3"]
    until(lambda: pod(cluster) is None, "the end of the pod")
    until(lambda: cluster.get("secrets", NAME) is None, "the end of the Secret")


def test_credentials_are_in_the_secret_alone_and_it_is_owned_by_the_pod(cluster):
    running = Running()
    secret = until(lambda: cluster.get("secrets", NAME), "the Secret")
    shown = pod(cluster)
    assert CANARY not in json.dumps(shown)
    assert base64.b64encode(CANARY.encode()).decode() not in json.dumps(shown)
    assert base64.b64decode(secret["data"]["AWS_SECRET_ACCESS_KEY"]).decode() == CANARY
    assert secret["immutable"] is True
    [owner] = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Pod", shown["metadata"]["uid"])
    works(cluster)
    ends(cluster, left=OUTCOME)
    running.end()
    assert CANARY not in json.dumps([running.lines, running.remembered])


def test_without_credentials_there_is_no_secret(cluster):
    running = Running(secrets={})
    works(cluster)
    ends(cluster, left=OUTCOME)
    assert running.end().code == 0
    assert cluster.get("secrets", NAME) is None


def test_a_pod_at_work_on_the_same_order_is_taken_over_and_not_made_twice(cluster):
    left = Running()
    works(cluster, *(f"early {number}" for number in range(30)))
    uid = until(lambda: pod(cluster), "the pod")["metadata"]["uid"]
    cluster.wire.away(True)  # the first worker is never heard of again
    left.runner._stopped = True
    left.end()
    cluster.wire.away(False)
    again = Running()
    until(lambda: "early 29" in again.lines, "the end of what it had logged")
    assert "early 0" not in again.lines
    cluster.logs.say(NAME, "late")
    ends(cluster, left=OUTCOME)
    ending = again.end()
    assert ending.outcome == OUTCOME.encode() and ending.last_line == "late"
    assert again.remembered["uid"] == uid
    assert again.lines[0] == f"Pod {NAME} is there already, with the same order: going on with it."


def test_what_an_ended_pod_has_left_is_collected(cluster):
    left = Running()
    works(cluster, "done")
    until(lambda: "done" in left.lines, "its line")
    cluster.wire.away(True)
    left.runner._stopped = True
    left.end()
    ends(cluster, left=OUTCOME)
    cluster.wire.away(False)
    again = Running()
    assert again.end().outcome == OUTCOME.encode()
    until(lambda: pod(cluster) is None, "the end of the pod")


@pytest.mark.parametrize("other", ["order", "image", "failed"])
def test_a_pod_of_another_order_or_image_or_a_failed_one_is_deleted_first(cluster, other):
    left = Running()
    works(cluster, "old")
    until(lambda: "old" in left.lines, "its line")
    old = pod(cluster)["metadata"]["uid"]
    cluster.wire.away(True)
    left.runner._stopped = True
    left.end()
    if other == "failed":
        ends(cluster, code=75, because="Error")
    cluster.wire.away(False)
    again = Running(
        order=ORDER.replace(b"fares", b"tips") if other == "order" else ORDER,
        place=Place(image="it:2") if other == "image" else None,
    )
    until(lambda: (now := pod(cluster)) and now["metadata"]["uid"] != old, "the new pod")
    until(
        lambda: (
            (found := cluster.get("secrets", NAME))
            and found["metadata"]["ownerReferences"][0]["uid"] == pod(cluster)["metadata"]["uid"]
        ),
        "its own Secret",
    )
    cluster.logs.ended.discard(NAME)
    cluster.logs.lines.clear()
    works(cluster, "new")
    ends(cluster, left=OUTCOME)
    assert again.end().last_line == "new"
    assert "is of no use any more: deleting it" in again.lines[0]


def test_exit_codes_and_signals_are_those_of_the_component(cluster):
    running = Running()
    works(cluster, "SOURCE x: must be there.")
    ends(cluster, code=2, because="Error", left="")
    ending = running.end()
    assert (ending.code, ending.last_line) == (2, "SOURCE x: must be there.")
    assert ending.outcome is None


def test_nothing_to_do_hands_on_what_it_left(cluster):
    running = Running()
    works(cluster, "nothing new")
    ends(cluster, code=3, because="Error", left='{"nothing_to_do":"nothing new"}\n')
    ending = running.end()
    assert (ending.code, ending.outcome) == (3, b'{"nothing_to_do":"nothing new"}\n')


def test_out_of_memory_is_told_as_such(cluster):
    running = Running()
    works(cluster, "fold 1 of 3")
    until(lambda: "fold 1 of 3" in running.lines, "its line")
    ends(cluster, code=137, because="OOMKilled")
    ending = running.end()
    assert (ending.code, ending.out_of_memory) == (-9, True)
    assert ending.last_line == "fold 1 of 3"


def test_a_log_that_breaks_goes_on_with_no_line_lost_and_none_twice(cluster):
    running = Running()
    works(cluster, "one", "same", "same")
    until(lambda: running.lines.count("same") == 2, "three lines")
    cluster.wire.cut()
    cluster.logs.say(NAME, "same", "four")
    until(lambda: "four" in running.lines, "what came meanwhile")
    cluster.wire.away(True)
    cluster.logs.say(NAME, "five")
    cluster.wire.away(False)
    cluster.logs.say(NAME, "six")
    until(lambda: "six" in running.lines, "the end")
    ends(cluster, left=OUTCOME)
    assert running.end().code == 0
    assert running.lines[1:] == ["one", "same", "same", "same", "four", "five", "six"]
    assert any("sinceTime" in asked for asked in cluster.logs.asked)


def test_an_api_server_that_is_away_is_waited_for(cluster):
    cluster.wire.away(True)
    running = Running()
    cluster.wire.away(False)
    works(cluster)
    cluster.wire.away(True)
    ends(cluster, left=OUTCOME)
    cluster.wire.away(False)
    assert running.end().outcome == OUTCOME.encode()


def test_one_that_stays_away_fails_the_try_and_leaves_the_pod_to_the_next(cluster):
    running = Running(Patience(away=0.5, image=60, start=60, pause=0.05, watch=1))
    works(cluster, "at work")
    until(lambda: "at work" in running.lines, "its line")
    cluster.wire.away(True)
    with pytest.raises(Unavailable, match=r"KUBERNETES-AWAY .* The pod works on"):
        running.end()
    assert pod(cluster) is not None
    cluster.wire.away(False)
    again = Running()
    until(lambda: again.remembered, "the second try")
    ends(cluster, left=OUTCOME)
    assert again.end().code == 0


@pytest.mark.parametrize(
    ("state", "code", "exit_code"),
    [
        ({"reason": "ImagePullBackOff", "message": "manifest unknown"}, "KUBERNETES-IMAGE", 75),
        ({"reason": "InvalidImageName", "message": "bad"}, "KUBERNETES-IMAGE", EXIT_USER),
        ({"reason": "CreateContainerConfigError", "message": "?"}, "KUBERNETES-CONTAINER", 75),
        ({"reason": "ContainerCreating"}, "KUBERNETES-PENDING", 75),
    ],
)
def test_a_pod_that_cannot_start_is_given_up_and_taken_away(cluster, state, code, exit_code):
    running = Running(QUICK)
    until(lambda: pod(cluster), "the pod")
    cluster.status(NAME, of_container({"waiting": state}, phase="Pending"))
    with pytest.raises(EverfitError, match=f"{code} .*{state['reason']}") as told:
        running.end()
    assert told.value.exit_code == exit_code
    until(lambda: pod(cluster) is None, "the end of the pod")


def test_a_pod_no_node_has_room_for_is_given_up(cluster):
    running = Running(QUICK)
    until(lambda: pod(cluster), "the pod")
    cluster.status(
        NAME,
        {
            "phase": "Pending",
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
                }
            ],
        },
    )
    with pytest.raises(Unavailable, match=r"KUBERNETES-UNSCHEDULABLE .*Insufficient nvidia"):
        running.end()


@pytest.mark.parametrize(
    ("further", "told"),
    [
        ({"reason": "Evicted", "message": "exceeds the limit of /tmp"}, "EVICTED .*of /tmp.*disk"),
        ({"reason": "NodeLost", "message": "gone"}, "ENDED .*NodeLost: gone"),
        (
            {"conditions": [{"type": "DisruptionTarget", "status": "True", "message": "taken"}]},
            "DELETED .*taken",
        ),
    ],
)
def test_what_the_cluster_does_to_a_pod_is_told(cluster, further, told):
    running = Running()
    works(cluster)
    ends(cluster, code=137, because="Error", **further)
    with pytest.raises(Unavailable, match="KUBERNETES-" + told):
        running.end()


def test_an_entrypoint_that_cannot_be_started_is_told(cluster):
    running = Running()
    until(lambda: pod(cluster), "the pod")
    ends(cluster, code=128, because="StartError", left="exec: no such file")
    with pytest.raises(Unavailable, match=r"KUBERNETES-START .*StartError: exec: no such file"):
        running.end()


def test_a_pod_somebody_deletes_is_told_as_deleted(cluster):
    running = Running()
    works(cluster, "at work")
    until(lambda: "at work" in running.lines, "its line")
    cluster.delete("pods", NAME, 5)
    with pytest.raises(Unavailable, match=r"KUBERNETES-DELETED"):
        running.end()


def test_stop_deletes_the_pod_with_its_secret(cluster):
    running = Running()
    works(cluster, "at work")
    until(lambda: "at work" in running.lines, "its line")
    running.runner.stop()
    assert running.end().code == -15
    until(lambda: pod(cluster) is None, "the end of the pod")
    until(lambda: cluster.get("secrets", NAME) is None, "the end of the Secret")


def test_stopped_before_it_runs_makes_nothing(cluster):
    runner = KubernetesRunner(Place(), task(), ClusterSettings(), PATIENT)
    runner.stop()
    assert runner.run(ORDER, {}, {}, print, print).code == -15
    assert pod(cluster) is None


def test_fence_deletes_only_the_pod_that_was_left(cluster):
    running = Running()
    works(cluster, "at work")
    remembered = until(lambda: running.remembered, "what to remember")
    other = KubernetesRunner(Place(), task("another"), ClusterSettings())
    assert other.fence({**remembered, "uid": "00000000-0000-0000-0000-000000000000"}) is None
    assert pod(cluster) is not None
    assert other.fence(remembered).startswith(f"Deleted pod {NAME} in everfit")
    with pytest.raises(Unavailable, match=r"KUBERNETES-DELETED"):
        running.end()
    assert other.fence(remembered) is None
    assert other.fence({"group": 7, "host": "here"}) is None


def test_a_namespace_that_is_not_there_is_for_a_person(cluster):
    if isinstance(cluster, Cluster):
        cluster.refusals["POST"] = (404, 'namespaces "nowhere" not found')
    runner = KubernetesRunner(
        Place(image="it:1"), task(), ClusterSettings(namespace="nowhere"), PATIENT
    )
    with pytest.raises(EverfitError, match=r"KUBERNETES-(NAMESPACE|FORBIDDEN)") as told:
        runner.run(ORDER, {}, {}, print, print)
    assert told.value.exit_code == EXIT_USER


@pytest.mark.parametrize(
    ("status", "message", "code", "exit_code"),
    [
        (403, "violates PodSecurity", "KUBERNETES-FORBIDDEN", EXIT_USER),
        (403, "exceeded quota: team", "KUBERNETES-QUOTA", 75),
        (422, "Pod is invalid: spec.x", "KUBERNETES-REFUSED", EXIT_USER),
    ],
)
def test_refusals_say_what_to_do(tmp_path, monkeypatch, status, message, code, exit_code):
    cluster = Cluster(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    cluster.refusals["POST"] = (status, message)
    with pytest.raises(EverfitError, match=f"{code} .*{status}: {message}") as told:
        Running().end()
    assert told.value.exit_code == exit_code
    cluster.close()


def test_a_log_that_may_not_be_read_is_said_once_and_stops_nothing(tmp_path, monkeypatch):
    cluster = Cluster(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    cluster.refusals["/log"] = (403, "pods/log is forbidden")
    running = Running()
    works(cluster, "unheard")
    until(lambda: sum("/log" in seen for seen in cluster.seen) > 1, "a second question")
    ends(cluster, left=OUTCOME)
    assert running.end().outcome == OUTCOME.encode()
    assert [line for line in running.lines if "cannot be read" in line] == running.lines[1:]
    cluster.close()


def test_without_a_cluster_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(EverfitError, match=r"KUBERNETES-CONFIG .*KUBECONFIG") as told:
        Running().end()
    assert told.value.exit_code == EXIT_USER
