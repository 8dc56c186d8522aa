"""A stand with everything that a team has: a connection for each credential, a canary in each.

Store and task logs in S3, ledger and source on PostgreSQL, MLflow behind a login, metrics to
StatsD, lineage to a file.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import yaml
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from everfit.contracts.settings import Settings
from everfit_launch.mlflow_here import answers, start_mlflow
from everfit_launch.services import Services
from tests.airflow.stand import QUICK, REPOSITORY, Stand, day_csv, until
from tests.services import new_database

NAME = "sealed"
TRAIN, MONITOR = f"{NAME}.train", f"{NAME}.monitor"
PEM = (
    Ed25519PrivateKey.generate()
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
SECRETS = {
    "aws": "canary/of+aws=Secret0123456789",
    "session": "canary-of-the-aws-session",
    "ledger": "canary@of:ledger/0",
    "mlflow": "canary&of mlflow=0",
    "source": "canary?of#source%0",
    "signing": PEM.splitlines()[1],
    "mail": "canary-of-the-mail-server",
    "slack": "xoxb-canary-of-the-slack-app",
    "fernet": Fernet.generate_key().decode(),
    "jwt": "canary-of-airflows-own-tokens-" + "0" * 60,
    "airflows database": "canary-of-airflows-database",
}
PATIENCE = 600.0


class Locked(ThreadingHTTPServer):
    """Before MLflow's server: who has no user and password gets no further."""

    def __init__(self, behind: str, user: str, password: str) -> None:
        self.behind = urlsplit(behind).netloc
        given = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.key, self.refused, self.let_in = f"Basic {given}", 0, 0
        super().__init__(("127.0.0.1", 0), _Door)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def hand_on(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != server.key:
            server.refused += 1
            self._reply(401, b"You are not authenticated.", "text/plain")
            return
        server.let_in += 1
        there = http.client.HTTPConnection(server.behind, timeout=60)
        kept = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "host")}
        there.request(self.command, self.path, body, kept)
        answer = there.getresponse()
        content = answer.read()
        self._reply(answer.status, content, answer.getheader("Content-Type") or "text/plain")
        there.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = hand_on  # noqa: N815

    def _reply(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Statsd(threading.Thread):
    """A StatsD server that keeps what it hears."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.heard: list[str] = []

    def run(self) -> None:
        while (packet := self.socket.recv(65536)) != b"over":
            self.heard += packet.decode().splitlines()

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.sendto(b"over", ("127.0.0.1", self.port))
        self.join()
        self.socket.close()


class Production(Stand):
    """A stand with everything that a team has, and a canary in each of its secrets."""

    def __init__(self, folder: Path, postgresql: str, s3: str) -> None:
        import boto3

        self.folder = folder
        self.trips, self.books, self.airflows = (new_database(postgresql) for _ in range(3))
        self.statsd, self.lineage = Statsd(), folder / "lineage.jsonl"
        self.s3 = boto3.client(
            "s3",
            endpoint_url=s3,
            region_name="us-east-1",
            aws_access_key_id="tester",
            aws_secret_access_key="tester",
        )
        suffix = folder.name.replace("_", "-")
        self.buckets = [f"store-{suffix}", f"logs-{suffix}"]
        for bucket in self.buckets:
            self.s3.create_bucket(Bucket=bucket)
        self._databases()
        owner = f"airflows:{SECRETS['airflows database']}"
        self.books, self.airflows = (
            url.replace(urlsplit(url).netloc.rpartition("@")[0], owner)
            for url in (self.books, self.airflows)
        )
        self._services = Services(folder)
        self.locked = self._mlflow()
        runners = folder / "runners.yaml"
        named = {"aws": "lake", "ledger": "books", "mlflow": "tracking", "signing": "seal"}
        runners.write_text(yaml.safe_dump({"connections": named}))
        super().__init__(
            folder,
            self.airflows,
            self.books,
            {
                "EVERFIT_STORE": f"s3://{self.buckets[0]}/every/fit",
                "EVERFIT_RUNNERS": str(runners),
                "EVERFIT_NOTIFY": "smtp:team@example.org,slack:#models",
                "EVERFIT_SWEEP": "60",
                # As whom nobody is, where a connection is not asked.
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            schedulers=1,
            further={
                "AIRFLOW__CORE__FERNET_KEY": SECRETS["fernet"],
                "AIRFLOW__API_AUTH__JWT_SECRET": SECRETS["jwt"],
                "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
                "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": f"s3://{self.buckets[1]}/airflow",
                "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "lake",
                "AIRFLOW__LOGGING__DELETE_LOCAL_LOGS": "True",
                "AIRFLOW__METRICS__STATSD_ON": "True",
                "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
                "AIRFLOW__METRICS__STATSD_PORT": str(self.statsd.port),
                "AIRFLOW__OPENLINEAGE__DISABLED": "False",
                "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                    {"type": "file", "log_file_path": str(self.lineage), "append": True}
                ),
            },
        )
        self.endpoint = s3

    def start(self) -> None:
        self.statsd.start()
        self._spec()
        super().start()
        place = urlsplit(self.books)
        server = {"host": place.hostname, "port": place.port}
        mlflow = urlsplit(self.locked.address)
        extra = {
            "endpoint_url": self.endpoint,
            "region_name": "us-east-1",
            "aws_session_token": SECRETS["session"],
        }
        for name, parts in {
            "lake": {
                "conn_type": "aws",
                "login": "AKIALAKE",
                "password": SECRETS["aws"],
                "extra": json.dumps(extra),
            },
            "books": {
                "conn_type": "postgres",
                "login": "books",
                "password": SECRETS["ledger"],
                "schema": self.books.rpartition("/")[2],
                **server,
            },
            "trips": {
                "conn_type": "postgres",
                "login": "reader",
                "password": SECRETS["source"],
                "schema": self.trips.rpartition("/")[2],
                **server,
            },
            "tracking": {
                "conn_type": "http",
                "host": mlflow.hostname,
                "port": mlflow.port,
                "login": "everfit",
                "password": SECRETS["mlflow"],
            },
            "seal": {"conn_type": "generic", "password": PEM},
            "smtp_default": {
                "conn_type": "smtp",
                "host": "127.0.0.1",
                "port": 9,
                "login": "team",
                "password": SECRETS["mail"],
                "extra": json.dumps({"disable_ssl": True, "from_email": "a@example.org"}),
            },
            "slack_api_default": {
                "conn_type": "slack",
                "password": SECRETS["slack"],
                "extra": json.dumps({"base_url": "http://127.0.0.1:9/"}),
            },
        }.items():
            self.api.call("POST", "/connections", {"connection_id": name, **parts})
        self.ready(TRAIN, MONITOR)

    def stop(self) -> None:
        super().stop()
        self._services.stop()
        self.locked.shutdown()
        self.locked.server_close()
        self.statsd.stop()

    def sql(self, database: str, *statements: str) -> None:
        """As the server's owner."""
        import psycopg2

        connection = psycopg2.connect(database.replace("+psycopg", ""))
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def run(self, dag_id: str, conf: dict[str, Any] | None = None) -> tuple[str, str]:
        """Start a run, and wait for its end: id and state."""
        run = self.api.trigger(dag_id, conf)
        until(
            lambda: self.api.run_state(dag_id, run) in ("success", "failed"),
            f"{run} ends",
            PATIENCE,
        )
        return run, self.api.run_state(dag_id, run)

    def log(self, dag_id: str, run: str, task: str) -> str:
        """A task's log as Airflow's page shows it."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run)}/taskInstances/{task}/logs/1?full_content=true"
        return json.dumps(self.api.call("GET", path))

    def page(self, address: str) -> tuple[int, bytes]:
        """A page of Airflow's server, as somebody who is logged in sees it."""
        self.api.dag_ids()
        token = {"Authorization": f"Bearer {self.api._token}"}
        request = urllib.request.Request(self.api.address + address, headers=token)
        with urllib.request.urlopen(request, timeout=30) as page:
            return page.status, page.read()

    def events(self) -> list[dict[str, Any]]:
        """What was told to whoever listens to lineage."""
        lines = self.lineage.read_text().splitlines()
        return [json.loads(line) for line in lines if line]

    def _databases(self) -> None:
        def said(text: str) -> str:
            return "'" + text.replace("'", "''") + "'"

        self.sql(
            self.books,
            f"CREATE ROLE books LOGIN SUPERUSER PASSWORD {said(SECRETS['ledger'])}",
            f"CREATE ROLE reader LOGIN PASSWORD {said(SECRETS['source'])}",
            f"CREATE ROLE airflows LOGIN SUPERUSER PASSWORD {said(SECRETS['airflows database'])}",
        )
        rows = []
        for day in range(3):
            for line in day_csv(day).splitlines()[1:]:
                at, miles, minutes, zone, fare = line.split(",")
                rows.append(f"('{at}', {miles}, {minutes}, '{zone}', {fare})")
        self.sql(
            self.trips,
            "CREATE TABLE trips (picked_up timestamp, miles double precision, "
            "minutes double precision, zone text, fare double precision)",
            f"INSERT INTO trips VALUES {', '.join(rows)}",
            "GRANT SELECT ON trips TO reader",
        )

    def _mlflow(self) -> Locked:
        settings = Settings.from_environment(
            {
                "EVERFIT_ROOT": str(REPOSITORY),
                "EVERFIT_HOME": str(self.folder / "mlflow"),
                "EVERFIT_MLFLOW": f"sqlite:///{self.folder / 'mlflow.db'}",
            }
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        address = start_mlflow(self._services, settings, {"HOME": str(self.folder)}, port)
        until(lambda: answers(port), "MLflow answers")
        locked = Locked(address, "everfit", SECRETS["mlflow"])
        threading.Thread(target=locked.serve_forever, daemon=True).start()
        return locked

    def _spec(self) -> None:
        source = {
            "uri": "sql",
            "connection": "trips",
            "watermark": "picked_up",
            "every": "day",
            "query": "SELECT picked_up, miles, minutes, zone, fare FROM trips",
        }
        spec = {**QUICK, "source": source}
        (self.specs / f"{NAME}.yaml").write_text(yaml.safe_dump(spec))
