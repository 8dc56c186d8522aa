"""The pod of a component, and the Secret beside it: plain documents, made without a cluster.

The pod is clean under the "restricted" Pod Security Standard. Its order is an annotation, which a
downward API volume shows as ``/task/order.json``. Its outcome is what it writes to its termination
message file: the kubelet mounts a file of its own there, which any user may write to, also where
the root file system is read-only. That file cannot lie in ``/task``, which is mounted read-only,
and it must be written in place: nothing can be renamed over a mount.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any, cast

from everfit.contracts.errors import RequestError
from everfit.contracts.messages.steps import Component
from everfit.contracts.runners import Cluster, Mount, Place, needs, size_of
from everfit_airflow.runners import Task

CONTAINER = "component"
USER = 50000
GRACE = 5
"""Seconds between asking a component to end and ending it."""

ORDER = "/task/order.json"
OUTCOME = "/dev/termination-log"
OUTCOME_LIMIT = 4096
"""Bytes of a termination message that the kubelet keeps."""

ORDER_LIMIT = 200 << 10
"""Bytes of an order; Kubernetes takes 256 KiB of annotations in all."""

LOG_ROOM = 64 << 20
"""Bytes that a component may log: Kubernetes counts them with ``/tmp`` as ephemeral storage."""

ORDER_DIGEST = "io.everfit.order"
ORDER_TEXT = "io.everfit.order-document"
IMAGE = "io.everfit.image"
"""Annotations: a digest is too long for the value of a label, and the others are no such values."""

PULL = {"always": "Always", "missing": "IfNotPresent", "never": "Never"}


def render_pod(
    task: Task,
    place: Place,
    cluster: Cluster,
    order: bytes,
    environment: Mapping[str, str],
    has_secret: bool,
) -> dict[str, Any]:
    """The pod that carries an order out.

    Parameters
    ----------
    task : Task
        Gives its name, the same in every try.
    place : Place
        Image, limits, mounts.
    environment : mapping
        All its variables, but for credentials.
    has_secret : bool
        Whether there are credentials: they are variables too, in a Secret of the pod's name.

    Raises
    ------
    RequestError
        If the order is too large, or a mount names a folder.
    """
    if len(order) > ORDER_LIMIT:
        raise RequestError(
            "KUBERNETES-ORDER",
            task.pipeline,
            f"an order must have at most {ORDER_LIMIT >> 10} KiB, as it is an annotation",
            f"it has {len(order) >> 10} KiB",
            "Make the spec smaller, or use another runner",
        )
    mounts, volumes = _mounts(place.mounts)
    writable = any(not mount.read_only for mount in place.mounts)
    variables = {
        "HOME": "/tmp",  # noqa: S108
        **environment,
        "EVERFIT_OUTCOME_LIMIT": str(OUTCOME_LIMIT),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": task.name,
            "namespace": cluster.namespace,
            "labels": _labels(task, cluster),
            "annotations": _annotations(task, place, cluster, order),
        },
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": cluster.service_account,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": GRACE,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
                # Only where something is to be written: it changes the owner of what is mounted.
                **({"fsGroup": USER, "fsGroupChangePolicy": "OnRootMismatch"} if writable else {}),
            },
            "imagePullSecrets": [{"name": name} for name in cluster.pull_secrets],
            "nodeSelector": dict(cluster.node_selector),
            "tolerations": [dict(toleration) for toleration in cluster.tolerations],
            "volumes": [
                {
                    "name": "task",
                    "downwardAPI": {
                        "items": [
                            {
                                "path": ORDER.rsplit("/", maxsplit=1)[1],
                                "fieldRef": {"fieldPath": f"metadata.annotations['{ORDER_TEXT}']"},
                            }
                        ]
                    },
                },
                {"name": "tmp", "emptyDir": {"sizeLimit": place.disk}},
                *volumes,
            ],
            "containers": [
                {
                    "name": CONTAINER,
                    "image": place.image,
                    "imagePullPolicy": PULL[place.pull],
                    "args": ["--order", ORDER, "--outcome", OUTCOME],
                    # The kubelet would expand $(NAME) in a value; $$ stands for $.
                    "env": [
                        {"name": name, "value": value.replace("$", "$$")}
                        for name, value in sorted(variables.items())
                    ],
                    "envFrom": [{"secretRef": {"name": task.name}}] if has_secret else [],
                    "resources": _resources(place),
                    "securityContext": {
                        "runAsNonRoot": True,
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "terminationMessagePath": OUTCOME,
                    "terminationMessagePolicy": "File",
                    "volumeMounts": [
                        {"name": "task", "mountPath": "/task", "readOnly": True},
                        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
                        *mounts,
                    ],
                }
            ],
        },
    }


def render_secret(pod: Mapping[str, Any], secrets: Mapping[str, str]) -> dict[str, Any]:
    """Credentials of a pod that exists: owned by it, so that they go when it goes.

    Parameters
    ----------
    pod : mapping
        As the cluster knows it, with its ``uid``. It waits for its Secret.
    secrets : mapping
        Variable → value.
    """
    known = pod["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {
            "name": known["name"],
            "namespace": known["namespace"],
            "labels": {"io.everfit.task": known["name"]},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Pod", "name": known["name"], "uid": known["uid"]}
            ],
        },
        "data": {
            name: base64.b64encode(value.encode()).decode()
            for name, value in sorted(secrets.items())
        },
    }


def does_the_same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a pod found under the name of another works on the same order with the same image."""
    said, asked = (pod["metadata"].get("annotations") or {} for pod in (found, wanted))
    return all(said.get(name) == asked[name] for name in (ORDER_DIGEST, IMAGE))


def label_value(text: str) -> str:
    """A text as the value of a label: itself where it may be one, else its beginning and a digest.

    Label values have at most 63 characters, of letters, digits, ``-``, ``_`` and ``.``, and begin
    and end with a letter or digit.
    """
    if re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?", text, re.ASCII):
        return text
    words = re.sub(r"[^A-Za-z0-9]+", "-", text, flags=re.ASCII)[:46].strip("-")
    return f"{words}-{hashlib.sha256(text.encode()).hexdigest()[:16]}".lstrip("-")


def _labels(task: Task, cluster: Cluster) -> dict[str, str]:
    ours = {
        "app.kubernetes.io/name": "everfit",
        "app.kubernetes.io/component": "component",
        "io.everfit.task": task.name,
        "io.everfit.pipeline": label_value(task.pipeline),
        "io.everfit.component": label_value(task.component),
        "io.everfit.dag": label_value(task.dag_id),
        "io.everfit.run": label_value(task.run_id),
    }
    # What network policies select by.
    reached = needs(cast(Component, task.component))
    reaches = {f"io.everfit.needs-{need}": "true" for need in reached}
    return {**cluster.labels, **ours, **reaches}


def _annotations(task: Task, place: Place, cluster: Cluster, order: bytes) -> dict[str, str]:
    return {
        # Half a training is worth nothing: nodes are not emptied for its sake.
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "karpenter.sh/do-not-disrupt": "true",
        **cluster.annotations,
        "io.everfit.dag": task.dag_id,
        "io.everfit.run": task.run_id,
        "io.everfit.task-id": task.task_id,
        "io.everfit.map-index": str(task.map_index),
        IMAGE: place.image,
        ORDER_DIGEST: hashlib.sha256(order).hexdigest(),
        ORDER_TEXT: order.decode(),
    }


def _resources(place: Place) -> dict[str, dict[str, str]]:
    """As much asked for as allowed: what one is promised is promised to no other."""
    amounts = {
        "cpu": f"{max(1, round(place.cpu * 1000))}m",
        "memory": place.memory,
        "ephemeral-storage": str(size_of(place.disk) + LOG_ROOM),
    }
    if place.gpu:
        amounts["nvidia.com/gpu"] = str(place.gpu)
    return {"requests": amounts, "limits": dict(amounts)}


def _mounts(wanted: tuple[Mount, ...]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Mounts of the container, and one volume for each claim they name."""
    for mount in wanted:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", mount.source, re.ASCII):
            raise RequestError(
                "KUBERNETES-MOUNT",
                mount.target,
                "its source must be the name of a PersistentVolumeClaim",
                f"it is {mount.source!r}",
                "Correct mounts in the runners file",
            )
    claims = list(dict.fromkeys(mount.source for mount in wanted))
    read_only = {c: all(m.read_only for m in wanted if m.source == c) for c in claims}
    return [
        {
            "name": f"mount-{claims.index(mount.source)}",
            "mountPath": mount.target,
            "readOnly": mount.read_only,
        }
        for mount in wanted
    ], [
        {
            "name": f"mount-{number}",
            "persistentVolumeClaim": {"claimName": claim, "readOnly": read_only[claim]},
        }
        for number, claim in enumerate(claims)
    ]
