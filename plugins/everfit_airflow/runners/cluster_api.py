"""The few calls of a Kubernetes API server that the runner makes; documents in, documents out.

The ``kubernetes`` client finds the cluster, logs in and speaks HTTP. Its typed models are left
aside: what the runner reads are a handful of fields, and ``sinceTime`` of a log has no place in
them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from everfit.contracts.errors import EverfitError, RequestError, Unavailable
from everfit.contracts.runners import Cluster

TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
CONNECT, READ, QUIET = 5.0, 30.0, 60.0
"""Seconds to connect, for an answer, and of silence of a stream before one looks after it."""

FORBIDDEN, NOT_FOUND, CONFLICT, GONE = 403, 404, 409, 410
PASSING = (401, 408, 425, 429)
"""Answers that may be another one in a moment; 401: tokens are renewed under way."""


class Away(Exception):
    """The API server did not answer, or not in a way that tells anything."""


class Refused(Exception):
    """The API server said no.

    Parameters
    ----------
    status : int
        HTTP status.
    message : str
        What it said.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(f"{status}: {message}")


class ClusterApi:
    """Pods and Secrets of one namespace.

    Parameters
    ----------
    namespace : str
        Where they are.

    Raises
    ------
    RequestError
        If there is nothing that says where the cluster is.
    """

    def __init__(self, namespace: str) -> None:
        self._client = _client()
        self._base = f"/api/v1/namespaces/{namespace}"

    def create(self, kind: str, document: Mapping[str, Any]) -> dict[str, Any] | None:
        """The object made, None where there is one of its name; ``kind``: pods, secrets."""
        try:
            return self._json("POST", f"{self._base}/{kind}", dict(document))
        except Refused as refused:
            if refused.status == CONFLICT:
                return None
            raise

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """An object, None where there is none."""
        try:
            return self._json("GET", f"{self._base}/{kind}/{name}")
        except Refused as refused:
            if refused.status == NOT_FOUND:
                return None
            raise

    def delete(self, kind: str, name: str, grace: int, uid: str | None = None) -> None:
        """Delete an object; with a ``uid`` only that one, not another that has taken its name."""
        options: dict[str, Any] = {"gracePeriodSeconds": grace, "propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            self._json("DELETE", f"{self._base}/{kind}/{name}", options)
        except Refused as refused:
            if refused.status not in (NOT_FOUND, CONFLICT):
                raise

    def watch(self, name: str, seconds: int) -> Iterator[dict[str, Any] | None]:
        """A pod as it is and as it becomes; None when it is deleted. Ends after ``seconds``."""
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name}",
            "timeoutSeconds": seconds,
        }
        for line in self._lines(f"{self._base}/pods", query, seconds + READ):
            event = json.loads(line)
            if event["type"] == "ERROR":
                if event["object"].get("code") == GONE:
                    return
                raise Away(str(event["object"].get("message")))
            yield None if event["type"] == "DELETED" else event["object"]

    def log(
        self, name: str, container: str, since: str | None = None, tail: int | None = None
    ) -> Iterator[bytes]:
        """Lines of a container as it writes them, each after its time and a space."""
        query: dict[str, Any] = {"container": container, "follow": "true", "timestamps": "true"}
        if since is not None:
            query["sinceTime"] = since
        if tail is not None:
            query["tailLines"] = tail
        yield from self._lines(f"{self._base}/pods/{name}/log", query, QUIET)

    def close(self) -> None:
        """Let go of its connections."""
        self._client.rest_client.pool_manager.clear()

    def _json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        from urllib3.exceptions import HTTPError

        response = self._ask(method, path, body, READ)
        try:
            said = response.read()
        except (HTTPError, OSError) as error:
            raise Away(_plainly(error)) from error
        self._check(response.status, said)
        try:
            return dict(json.loads(said))
        except ValueError as error:
            raise Away("it answered with something that is no JSON") from error

    def _lines(self, path: str, query: Mapping[str, Any], quiet: float) -> Iterator[bytes]:
        from urllib3.exceptions import HTTPError

        response = self._ask("GET", f"{path}?{urlencode(query)}", None, quiet)
        stream, rest = response.response, b""
        try:
            if response.status >= 400:
                self._check(response.status, response.read())
            for part in stream.stream(1 << 16):
                *whole, rest = (rest + part).split(b"\n")
                yield from filter(None, whole)
            if rest:
                yield rest
        except (HTTPError, OSError) as error:
            raise Away(_plainly(error)) from error
        finally:
            stream.close()

    def _ask(self, method: str, path: str, body: Any, patience: float) -> Any:
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if method == "GET":
            del headers["Content-Type"]
        _, url, headers, body, _ = self._client.param_serialize(
            method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        try:
            return self._client.call_api(
                method, url, headers, body, _request_timeout=(CONNECT, patience)
            )
        except (HTTPError, OSError) as error:
            raise Away(_plainly(error)) from error
        except Exception as error:
            if getattr(error, "status", None) == 0:  # how the client tells of a certificate
                raise Away(_plainly(error)) from error
            raise

    @staticmethod
    def _check(status: int, said: bytes) -> None:
        if status < 400:
            return
        try:
            message = str(json.loads(said)["message"])
        except (ValueError, KeyError, TypeError):
            message = said[:300].decode(errors="replace")
        if status >= 500 or status in PASSING:
            raise Away(f"{status}: {message[:300]}")
        raise Refused(status, message)


def refusal_of(refused: Refused, name: str, cluster: Cluster) -> EverfitError:
    """What a refusal means for a person."""
    found = f"{refused.status}: {refused.message[:400]}"
    if "exceeded quota" in refused.message:
        return Unavailable(
            "KUBERNETES-QUOTA",
            cluster.namespace,
            "its quota must have room for the pod",
            found,
            "Ask for less in the runners file, or raise the quota",
        )
    if refused.status == FORBIDDEN:
        return RequestError(
            "KUBERNETES-FORBIDDEN",
            cluster.namespace,
            "Airflow's service account must be allowed what the runner does, and the namespace "
            "take its pods",
            found,
            "Compare with deploy/kubernetes/rbac.yaml and namespace.yaml",
        )
    if refused.status == NOT_FOUND:
        return RequestError(
            "KUBERNETES-NAMESPACE",
            cluster.namespace,
            "the namespace must be there",
            found,
            "Make it, or name another in the runners file",
        )
    return RequestError(
        "KUBERNETES-REFUSED",
        name,
        "the cluster must take the pod as it is made",
        found,
        "Correct the runners file",
    )


def _client() -> Any:
    """A client of the cluster this runs in, else of the one ``KUBECONFIG`` names."""
    from kubernetes import client, config

    found = client.Configuration()
    try:
        if "KUBERNETES_SERVICE_HOST" in os.environ and TOKEN.exists():
            config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
        else:
            named = os.environ.get("KUBECONFIG")  # the client reads it when first imported
            config.load_kube_config(named, client_configuration=found)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as error:
        raise RequestError(
            "KUBERNETES-CONFIG",
            "the kubernetes runner",
            "it must run in a cluster, or KUBECONFIG name a file that leads to one",
            _plainly(error),
            "Mount a service account's token, or set KUBECONFIG",
        ) from error
    found.retries = False  # the runner has its own patience
    return client.ApiClient(found)


def _plainly(error: BaseException) -> str:
    """An error on a line, without addresses of objects."""
    text = " ".join(str(getattr(error, "reason", None) or error).split())
    return f"{type(error).__name__}: {text}".replace(" object at 0x", " at ")[:300]
