"""A component as a pod: made, followed and taken away, whatever happens to the cluster meanwhile.

::

    pod           the pod and its Secret as documents
    pod_state     what the status of a pod says
    pod_log       each line once
    cluster_api   the calls

The pod has the name of its task, the same in each try. A try that finds it at work on the same
order with the same image goes on with it; one that finds another deletes it first. The API server
may be away for a while: the pod works on, and where patience ends, the next try finds it.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from everfit.contracts.errors import EverfitError, Unavailable
from everfit.contracts.runners import Cluster, Place
from everfit_airflow.runners import Ending, Task
from everfit_airflow.runners.cluster_api import FORBIDDEN, Away, ClusterApi, Refused, refusal_of
from everfit_airflow.runners.pod import CONTAINER, GRACE, does_the_same, render_pod, render_secret
from everfit_airflow.runners.pod_log import PodLog
from everfit_airflow.runners.pod_state import (
    deleted,
    ending_of,
    is_leaving,
    is_over,
    is_working,
    left_an_outcome,
    waits_in_vain,
)

Answer = TypeVar("Answer")
Pod = dict[str, Any]

STOPPING = 4.0
"""Seconds that ``stop`` waits for the cluster to be told: Airflow gives a task five in all."""

ADOPTED_LINES = 10
"""Of what a pod has logged before it was taken over."""

LAG = 2
"""Seconds within which a pod is told to have ended, once its log has."""


@dataclass(frozen=True)
class Patience:
    """Seconds that are waited for what may come yet."""

    away: float = 300.0
    """For an API server that does not answer."""
    image: float = 180.0
    """For an image that cannot be got, and a container that cannot be made."""
    start: float = 600.0
    """For a node: a cluster may have to make one."""
    pause: float = 2.0
    """Between two questions to a server that does not answer."""
    watch: int = 30
    """Of one watch; patience is looked at after each."""


class KubernetesRunner:
    """Runs a component as a pod.

    Parameters
    ----------
    place : Place
        Image and limits.
    task : Task
        Gives the pod its name.
    cluster : Cluster
        Where pods are made.
    patience : Patience
        How long it waits for what.
    """

    def __init__(
        self, place: Place, task: Task, cluster: Cluster, patience: Patience = Patience()
    ) -> None:
        self._place, self._task, self._cluster = place, task, cluster
        self._patience = patience
        self._uid: str | None = None
        self._stopped = False  # no Event: its lock may be held where a signal comes

    def run(
        self,
        order: bytes,
        environment: Mapping[str, str],
        secrets: Mapping[str, str],
        log: Callable[[str], None],
        remember: Callable[[dict[str, Any]], None],
    ) -> Ending:
        """See ``Runner.run``.

        Raises
        ------
        UserError
            If a person must fix the runners file, an image or the cluster.
        Unavailable
            If another try may cure it. Where the API server does not answer, the pod works on,
            and the next try finds it.
        """
        name, namespace = self._task.name, self._cluster.namespace
        wanted = render_pod(
            self._task, self._place, self._cluster, order, environment, bool(secrets)
        )
        if self._stopped:
            return Ending(-signal.SIGTERM, None, "stopped before it was started")
        with contextlib.closing(ClusterApi(namespace)) as api:
            try:
                pod, adopted = self._made(api, wanted, log)
                self._uid = uid = pod["metadata"]["uid"]
                what = {"runner": "kubernetes", "pod": name, "namespace": namespace, "uid": uid}
                remember(what)
                if secrets:
                    self._hand_over(api, pod, secrets)
                # Again when it runs: how long it waited for a node is worth knowing.
                return self._followed(api, pod, adopted, log, lambda: remember(what))
            except _Stopped:
                if self._uid is not None:  # for the case that ``stop`` could not reach the cluster
                    _take_away(api, name, self._uid, GRACE)
                return Ending(-signal.SIGTERM, None, "stopped")

    def stop(self) -> None:
        """Delete the pod; what it started ends with it.

        In a thread with connections of its own: a signal handler may have interrupted a call.
        """
        self._stopped = True
        uid = self._uid
        if uid is None:  # not made yet, or just now: ``run`` sees that it is to stop
            return

        def delete() -> None:
            with contextlib.suppress(EverfitError):
                self._delete(self._cluster.namespace, self._task.name, uid)

        ending = threading.Thread(target=delete, name="everfit-stop", daemon=True)
        ending.start()
        ending.join(STOPPING)

    def fence(self, remembered: Mapping[str, Any]) -> str | None:
        """Delete the pod of an earlier try, where this one does not run as a pod."""
        name, namespace = str(remembered.get("pod") or ""), str(remembered.get("namespace") or "")
        if not name or not namespace or not self._delete(namespace, name, remembered.get("uid")):
            return None
        return f"Deleted pod {name} in {namespace}, which an earlier try had left."

    @staticmethod
    def _delete(namespace: str, name: str, uid: str | None) -> bool:
        """Delete a pod by name, if it is still the one meant; whether it was."""
        with contextlib.closing(ClusterApi(namespace)) as api, contextlib.suppress(Away, Refused):
            found = api.get("pods", name)
            if found is not None and uid in (None, found["metadata"]["uid"]):
                _take_away(api, name, found["metadata"]["uid"], GRACE)
                return True
        return False

    def _made(self, api: ClusterApi, wanted: Pod, log: Callable[[str], None]) -> tuple[Pod, bool]:
        """The pod, and whether it was there already."""
        name = self._task.name
        deadline = time.monotonic() + self._patience.start
        while time.monotonic() < deadline:
            made = self._ask(lambda: api.create("pods", wanted))
            if made is not None:
                log(f"Pod {name} in {self._cluster.namespace}, from {self._place.image}.")
                return made, False
            found = self._ask(lambda: api.get("pods", name))
            if found is None:  # gone since, or the quota was being counted
                time.sleep(self._patience.pause)
                continue
            uid = found["metadata"]["uid"]
            if not is_leaving(found):
                if does_the_same(found, wanted) and (not is_over(found) or left_an_outcome(found)):
                    log(f"Pod {name} is there already, with the same order: going on with it.")
                    return found, True
                log(f"Pod {name} is there already, and is of no use any more: deleting it.")
                _take_away(api, name, uid, GRACE)
            self._until(api, partial(_is_another, uid))
        raise Unavailable(
            "KUBERNETES-NAME",
            name,
            "an earlier pod of this name must go",
            f"it is still there after {self._patience.start:.0f} s",
            "Look at its finalizers and at its node",
        )

    def _hand_over(self, api: ClusterApi, pod: Pod, secrets: Mapping[str, str]) -> None:
        """Give a pod that waits for its credentials what it waits for."""
        if is_working(pod) or is_over(pod):
            return
        secret = render_secret(pod, secrets)
        while self._ask(lambda: api.create("secrets", secret)) is None:
            # Of an earlier pod, with which it would go.
            self._ask(lambda: api.delete("secrets", self._task.name, 0))

    def _followed(
        self,
        api: ClusterApi,
        pod: Pod | None,
        adopted: bool,
        log: Callable[[str], None],
        started: Callable[[], None],
    ) -> Ending:
        """Wait for the pod to start, hand on what it logs, and tell how it ended."""
        name, began, has_started = self._task.name, time.monotonic(), False
        lines = PodLog(log, ADOPTED_LINES if adopted else None)
        while pod is not None and not is_over(pod):
            if is_working(pod):
                if not has_started:
                    has_started = True
                    started()
                self._read(api, lines)
                # The state follows the end of the log after a moment; else the stream broke.
                pod = self._until(api, _is_settled, LAG)
                continue
            try:
                waits_in_vain(
                    pod, time.monotonic() - began, self._patience.image, self._patience.start
                )
            except EverfitError:
                _take_away(api, name, pod["metadata"]["uid"], 0)
                raise
            pod = self._until(api, lambda now: _is_settled(now) or _is_working(now))
        if pod is None:
            if self._stopped:
                raise _Stopped
            raise deleted(name)
        self._read(api, lines)  # what came at the end
        _take_away(api, name, pod["metadata"]["uid"], 0)
        return ending_of(pod, lines.last)

    def _read(self, api: ClusterApi, lines: PodLog) -> None:
        """Hand on what is new in the log until its stream ends."""
        lines.opened()
        try:
            for line in api.log(self._task.name, CONTAINER, lines.since, lines.tail):
                lines.take(line)
                if self._stopped:
                    raise _Stopped
        except Refused as refused:
            if refused.status == FORBIDDEN:
                lines.missing("its log cannot be read: Airflow's service account may not")
        except Away:
            pass  # the state of the pod is asked next, with patience; then the log again

    def _until(
        self, api: ClusterApi, is_so: Callable[[Pod | None], bool], seconds: int | None = None
    ) -> Pod | None:
        """Watch until something is so, or for the length of a watch; the pod as it is then."""

        def watched() -> Pod | None:
            now = api.get("pods", self._task.name)
            if is_so(now):
                return now
            for now in api.watch(self._task.name, seconds or self._patience.watch):
                if is_so(now) or self._stopped:
                    break
            return now

        return self._ask(watched)

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        """Ask the cluster, and while it does not answer, again until patience ends."""
        deadline: float | None = None
        while True:
            if self._stopped:
                raise _Stopped
            try:
                return question()
            except Refused as refused:
                raise refusal_of(refused, self._task.name, self._cluster) from refused
            except Away as away:
                now = time.monotonic()
                deadline = now + self._patience.away if deadline is None else deadline
                if now >= deadline:
                    raise Unavailable(
                        "KUBERNETES-AWAY",
                        "the API server",
                        f"it must answer within {self._patience.away:.0f} s",
                        str(away),
                        "The pod works on, and the next try goes on with it",
                    ) from away
                time.sleep(self._patience.pause)


class _Stopped(Exception):
    """It was asked to end."""


def _is_working(pod: Pod | None) -> bool:
    return pod is not None and is_working(pod)


def _is_settled(pod: Pod | None) -> bool:
    return pod is None or is_over(pod)


def _is_another(uid: str, pod: Pod | None) -> bool:
    return pod is None or pod["metadata"]["uid"] != uid


def _take_away(api: ClusterApi, name: str, uid: str, grace: int) -> None:
    """Delete a pod and its Secret.

    What cannot be deleted now does no harm: the next try deletes an ended pod, and a Secret goes
    with its pod.
    """
    with contextlib.suppress(Away, Refused):
        api.delete("pods", name, grace, uid)
    with contextlib.suppress(Away, Refused):
        api.delete("secrets", name, 0)
