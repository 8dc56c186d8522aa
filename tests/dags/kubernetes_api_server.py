"""A real Kubernetes API server with etcd, and a kubelet that a test plays.

No scheduler, no controller and no node: the test binds a pod, writes its status and its log, as a
kubelet does. What is real is what the runner talks to: validation, admission, RBAC, conflicts,
watches, deletion with grace, the log's way through the API server.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.dags.kubernetes_cluster import (
    NAMESPACE,
    Logs,
    Quietly,
    Streaming,
    Wire,
    kubeconfig,
    until,
)

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
ADMIN, WORKER = "admin-token", "worker-token"
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Service": "/api/v1/namespaces/{}/services",
    "ResourceQuota": "/api/v1/namespaces/{}/resourcequotas",
    "LimitRange": "/api/v1/namespaces/{}/limitranges",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class ApiServer:
    """etcd and kube-apiserver in a folder of their own, set up with ``deploy/kubernetes``."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.port, etcd, peers = free_port(), free_port(), free_port()
        key = folder / "service-accounts.key"
        subprocess.run(
            ["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True
        )
        tokens = folder / "tokens.csv"
        tokens.write_text(
            f"{ADMIN},admin,admin,system:masters\n"
            f"{WORKER},system:serviceaccount:airflow:airflow-worker,worker,\n"
        )
        address = f"http://127.0.0.1:{etcd}"
        commands = [
            [
                str(binaries / "etcd"),
                "--data-dir",
                str(folder / "etcd"),
                "--listen-client-urls",
                address,
                "--advertise-client-urls",
                address,
                "--listen-peer-urls",
                f"http://127.0.0.1:{peers}",
            ],
            [
                str(binaries / "kube-apiserver"),
                "--etcd-servers",
                address,
                "--cert-dir",
                str(folder / "certificates"),
                "--secure-port",
                str(self.port),
                "--bind-address",
                "127.0.0.1",
                "--token-auth-file",
                str(tokens),
                "--authorization-mode",
                "RBAC",
                "--service-cluster-ip-range",
                "10.96.0.0/16",
                "--service-account-issuer",
                "https://kubernetes.default.svc",
                "--service-account-key-file",
                str(key),
                "--service-account-signing-key-file",
                str(key),
                # Its admission needs the controller that makes each namespace's account.
                "--disable-admission-plugins",
                "ServiceAccount",
            ],
        ]
        self.authority = str(folder / "certificates" / "apiserver.crt")
        self._log = (folder / "log").open("wb")
        self._processes = [
            subprocess.Popen(command, stdout=self._log, stderr=self._log) for command in commands
        ]
        self.refused: list[str] = []
        try:
            until(self._ready, "the API server")
            self.kubelet = Kubelet(self, folder)
            for file in sorted(DEPLOY.glob("*.yaml")):
                self.apply(file)
        except BaseException:
            self.close()
            raise

    def ask(self, method: str, path: str, body: Any = None, token: str = ADMIN) -> Any:
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(
            request, context=ssl._create_unverified_context(), timeout=10
        ) as answer:
            return json.loads(answer.read())

    def apply(self, file: Path) -> int:
        """Make what a file of ``deploy/kubernetes`` describes; how many objects there were."""
        objects = [found for found in yaml.safe_load_all(file.read_text()) if found]
        objects = [found for found in objects if isinstance(found, dict) and "kind" in found]
        for found in objects:
            if found["kind"] == "Namespace" and found["metadata"]["name"] == "default":
                continue
            path = PATHS[found["kind"]].format(found["metadata"].get("namespace"))
            namespace = found["metadata"].get("namespace")
            if namespace:
                with contextlib.suppress(urllib.error.HTTPError):
                    self.ask(
                        "POST",
                        PATHS["Namespace"],
                        {
                            "apiVersion": "v1",
                            "kind": "Namespace",
                            "metadata": {"name": namespace},
                        },
                    )
            try:
                self.ask("POST", path, found)
            except urllib.error.HTTPError as error:
                if error.code != 409:
                    raise AssertionError(f"{file.name}: {error.read().decode()}") from error
        return len(objects)

    def fresh(self, folder: Path) -> RealCluster:
        return RealCluster(self, folder)

    def close(self) -> None:
        if hasattr(self, "kubelet"):
            self.kubelet.close()
        for process in reversed(self._processes):
            process.terminate()
            process.wait(30)
        self._log.close()

    def _ready(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            self.ask("GET", "/api/v1/namespaces/default")
            return True
        return False


class Kubelet:
    """Serves logs to the API server, and lets go of pods that are deleted."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.logs = Logs()
        self._server, self._over = server, threading.Event()
        certificate = folder / "kubelet.pem"
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=kubelet",
                "-keyout",
                str(certificate),
                "-out",
                str(folder / "kubelet.crt"),
            ],
            check=True,
            capture_output=True,
        )
        kubelet = self

        class Serving(Streaming):
            def do_GET(self) -> None:
                pod = self.path.partition("?")[0].split("/")[3]  # /containerLogs/ns/pod/container
                self.stream(kubelet.logs.stream(pod, self.query()))

        self._http = Quietly(("127.0.0.1", 0), Serving)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "kubelet.crt", certificate)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        server.ask(
            "POST",
            "/api/v1/nodes",
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": "node"},
            },
        )
        node = server.ask("GET", "/api/v1/nodes/node")
        node["status"] = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._http.server_address[1]}},
        }
        server.ask("PUT", "/api/v1/nodes/node/status", node)
        self._thread = threading.Thread(target=self._let_go, daemon=True)
        self._thread.start()

    def _let_go(self) -> None:
        pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
        while not self._over.wait(0.2):
            with contextlib.suppress(OSError, ValueError):
                for pod in self._server.ask("GET", pods)["items"]:
                    name = pod["metadata"]["name"]
                    if pod["metadata"].get("deletionTimestamp"):
                        self.logs.end(name)
                        self._server.ask("DELETE", f"{pods}/{name}?gracePeriodSeconds=0")

    def close(self) -> None:
        self._over.set()
        self._thread.join(10)
        self._http.shutdown()
        self._http.server_close()


class RealCluster:
    """The same for a test as ``kubernetes_cluster.Cluster``, with the rights of a worker."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self._server = server
        self.logs = server.kubelet.logs
        self.wire = Wire(server.port)
        self.kubeconfig = kubeconfig(
            folder, f"https://127.0.0.1:{self.wire.port}", WORKER, server.authority
        )
        self.logs.lines.clear()
        self.logs.ended.clear()
        self.logs.asked.clear()

    def _path(self, kind: str, name: str = "") -> str:
        return f"/api/v1/namespaces/{NAMESPACE}/{kind}/{name}".rstrip("/")

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        try:
            return self._server.ask("GET", self._path(kind, name))
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def status(self, name: str, status: dict[str, Any]) -> None:
        if not self.get("pods", name)["spec"].get("nodeName"):
            self._server.ask(
                "POST",
                self._path("pods", f"{name}/binding"),
                {
                    "apiVersion": "v1",
                    "kind": "Binding",
                    "metadata": {"name": name},
                    "target": {"apiVersion": "v1", "kind": "Node", "name": "node"},
                },
            )
        pod = self.get("pods", name)
        pod["status"] = status
        self._server.ask("PUT", self._path("pods", f"{name}/status"), pod)

    def delete(self, kind: str, name: str, grace: int) -> None:
        with contextlib.suppress(urllib.error.HTTPError):
            self._server.ask("DELETE", self._path(kind, name) + f"?gracePeriodSeconds={grace}")

    def close(self) -> None:
        for kind in ("pods", "secrets"):
            for found in self._server.ask("GET", self._path(kind))["items"]:
                self.delete(kind, found["metadata"]["name"], 0)
            until(
                lambda kind=kind: not self._server.ask("GET", self._path(kind))["items"], "an end"
            )
        self.wire.close()
