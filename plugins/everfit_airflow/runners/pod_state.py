"""What the status of a pod says: whether it waits in vain, works, or has ended, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from everfit.contracts.errors import (
    EXIT_DONE,
    EXIT_NOTHING_TO_DO,
    EverfitError,
    RequestError,
    Unavailable,
)
from everfit_airflow.runners import Ending
from everfit_airflow.runners.pod import CONTAINER

IMAGE_TROUBLE = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError")
IMAGE_WRONG = ("InvalidImageName", "ErrImageNeverPull")
NOT_CREATED = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
NOT_STARTED = ("StartError", "ContainerCannotRun")

Pod = Mapping[str, Any]


def is_working(pod: Pod) -> bool:
    """Whether its container runs."""
    return "running" in _state(pod)


def is_over(pod: Pod) -> bool:
    """Whether it has ended."""
    return "terminated" in _state(pod) or _phase(pod) in ("Succeeded", "Failed")


def is_leaving(pod: Pod) -> bool:
    """Whether somebody deletes it."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def left_an_outcome(pod: Pod) -> bool:
    """Whether it ended as a component does that has done its work."""
    ended = _state(pod).get("terminated") or {}
    return ended.get("exitCode") in (EXIT_DONE, EXIT_NOTHING_TO_DO) and bool(ended.get("message"))


def waits_in_vain(pod: Pod, seconds: float, image_patience: float, patience: float) -> None:
    """Whether a pod that has not started is worth waiting for.

    Parameters
    ----------
    pod : mapping
        That has neither started nor ended.
    seconds : float
        That have been waited for it.
    image_patience : float
        Seconds that are waited for its image and its configuration: registries have outages.
    patience : float
        Seconds that are waited for a node: a cluster may have to make one.

    Raises
    ------
    RequestError
        If it will never start.
    Unavailable
        If it has been waited for long enough.
    """
    name, waiting = pod["metadata"]["name"], _state(pod).get("waiting") or {}
    reason, message = str(waiting.get("reason", "")), str(waiting.get("message", ""))
    if reason in IMAGE_WRONG:
        raise RequestError(
            "KUBERNETES-IMAGE",
            _image(pod),
            "the image must be one that a node can start",
            f"{reason}: {message[:300]}",
            "Correct image or pull in the runners file",
        )
    if reason in IMAGE_TROUBLE and seconds >= image_patience:
        raise Unavailable(
            "KUBERNETES-IMAGE",
            _image(pod),
            f"a node must get the image within {image_patience:.0f} s",
            f"{reason}: {message[:300]}",
            "Look at its name, at the registry and at pull_secrets in the runners file",
        )
    if reason in NOT_CREATED and seconds >= image_patience:
        raise Unavailable(
            "KUBERNETES-CONTAINER",
            name,
            "a node must be able to make the container",
            f"{reason}: {message[:300]}",
            "Look at the pod's events",
        )
    if seconds < patience:
        return
    for condition in pod.get("status", {}).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            raise Unavailable(
                "KUBERNETES-UNSCHEDULABLE",
                name,
                f"a node must have room for it within {patience:.0f} s",
                str(condition.get("message", "none had"))[:300],
                "Ask for less in the runners file, or give the cluster more",
            )
    raise Unavailable(
        "KUBERNETES-PENDING",
        name,
        f"it must start within {patience:.0f} s",
        f"it is {reason or _phase(pod) or 'nowhere'}. {message[:300]}",
        "Look at the pod's events",
    )


def ending_of(pod: Pod, last_line: str) -> Ending:
    """How a pod has ended.

    Parameters
    ----------
    pod : mapping
        That is over.
    last_line : str
        The last line it logged.

    Raises
    ------
    Unavailable
        If the cluster has ended it, or never started its container.
    """
    ended = _state(pod).get("terminated") or {}
    code, message = int(ended.get("exitCode", 1)), ended.get("message")
    if code in (EXIT_DONE, EXIT_NOTHING_TO_DO):
        return Ending(code, message.encode() if message else None, last_line)
    if ended.get("reason") == "OOMKilled":
        return Ending(_signal_of(code), None, last_line, out_of_memory=True)
    taken = _taken_away(pod)
    if taken is not None:
        raise taken
    if not ended or ended.get("reason") in (*NOT_STARTED, "ContainerStatusUnknown"):
        raise _never_started(pod, ended)
    return Ending(_signal_of(code), None, last_line)


def deleted(name: str, found: str = "somebody deleted it", *_: str) -> Unavailable:
    """Somebody deleted it while it worked."""
    return Unavailable(
        "KUBERNETES-DELETED",
        name,
        "it must be left to end by itself",
        found[:300],
        "Look for a drain of its node, a preemption or a person",
    )


def _taken_away(pod: Pod) -> EverfitError | None:
    """What the cluster has done to it, where it has not simply ended."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    reason, message = str(status.get("reason") or ""), str(status.get("message") or "")
    if reason == "Evicted":
        return Unavailable(
            "KUBERNETES-EVICTED",
            name,
            "it must stay on its node",
            message[:300] or reason,
            "Where it wrote too much to /tmp, raise disk in the runners file",
        )
    if reason:
        return Unavailable(
            "KUBERNETES-ENDED",
            name,
            "it must be left to end by itself",
            f"{reason}: {message[:300]}",
            "Look at the node and at the pod's events",
        )
    disrupted = [
        str(condition.get("message") or condition.get("reason") or "")
        for condition in status.get("conditions") or ()
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True"
    ]
    if disrupted or is_leaving(pod):
        return deleted(name, *disrupted)
    return None


def _never_started(pod: Pod, ended: Mapping[str, Any]) -> EverfitError:
    found = ": ".join(filter(None, (ended.get("reason"), str(ended.get("message") or "")[:300])))
    return Unavailable(
        "KUBERNETES-START",
        pod["metadata"]["name"],
        "its container must start and tell its end",
        found or f"it is {_phase(pod)}",
        "Look at the image's entrypoint and at the pod's events",
    )


def _signal_of(code: int) -> int:
    """A code above 128 is how a container tells the signal that ended it."""
    return 128 - code if 128 < code <= 128 + 64 else code


def _phase(pod: Pod) -> str:
    return str(pod.get("status", {}).get("phase", ""))


def _image(pod: Pod) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def _state(pod: Pod) -> Mapping[str, Any]:
    for status in pod.get("status", {}).get("containerStatuses") or ():
        if status.get("name") == CONTAINER:
            state = status.get("state") or {}
            return {name: found for name, found in state.items() if found is not None}
    return {}
