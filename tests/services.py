"""Throw-away services to test with: an S3 server in this process, a PostgreSQL server beside it."""

from __future__ import annotations

import logging
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "correct-horse"


def _postgresql_binaries() -> Path | None:
    """Where initdb and postgres are: on the PATH, or where Debian puts them."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("postgres")
    places = [Path(found).parent] if found else places
    return next((place for place in places if (place / "initdb").exists()), None)


def _driver() -> Any:
    """What speaks to PostgreSQL here: the components' driver, or the one of Airflow."""
    try:
        import psycopg
    except ImportError:
        import psycopg2 as psycopg
    return psycopg


def _answers(url: str) -> bool:
    psycopg = _driver()
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


class PostgresqlServer:
    """A PostgreSQL server in a folder of its own."""

    def __init__(self, binaries: Path) -> None:
        # The server refuses to run as root; pytest's own folders are closed to other users.
        names = {user.pw_name for user in pwd.getpwall()}
        user = None if os.getuid() else "postgres" if "postgres" in names else "nobody"
        self._binaries = binaries
        self._folder = folder = Path(tempfile.mkdtemp(prefix="everfit-postgresql-"))
        if user:
            shutil.chown(folder, user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        password_file = folder / "password"
        password_file.write_text(PASSWORD)
        password_file.chmod(0o644)
        self._common: Any = {"user": user, "cwd": folder, "stdin": subprocess.DEVNULL}
        subprocess.run(
            [
                binaries / "initdb",
                "--pgdata",
                folder / "data",
                "--username",
                "everfit",
                "--auth",
                "scram-sha-256",
                "--pwfile",
                password_file,
                "--no-sync",
                "--encoding",
                "UTF8",
                "--locale",
                "C",
            ],
            check=True,
            capture_output=True,
            **self._common,
        )
        self._plain = f"postgresql://everfit:{PASSWORD}@127.0.0.1:{self._port}/postgres"
        self.url = self._plain.replace("://", "+psycopg://")
        self._start()

    def _start(self) -> None:
        log = self._folder / "log"
        with log.open("ab") as output:
            self._server = subprocess.Popen(
                [
                    self._binaries / "postgres",
                    "-D",
                    self._folder / "data",
                    "-p",
                    str(self._port),
                    "-h",
                    "127.0.0.1",
                    "-c",
                    "unix_socket_directories=",
                    "-c",
                    "fsync=off",
                ],
                stdout=output,
                stderr=output,
                **self._common,
            )
        give_up = time.monotonic() + 30
        while not _answers(self._plain):
            assert self._server.poll() is None and time.monotonic() < give_up, log.read_text()
            time.sleep(0.05)

    def restart(self) -> None:
        """As ``pg_ctl restart -m immediate``: every connection is cut, nothing is finished."""
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(30)
        self._start()

    def copy(self, source: str, target: str) -> None:
        """Make a database the copy of another, whoever is connected to either."""
        connection = _driver().connect(self._plain)
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (source,)
        )
        cursor.execute(f"CREATE DATABASE {target} TEMPLATE {source}")
        connection.close()

    def stop(self) -> None:
        """At once, for nothing of it is kept."""
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(30)
        shutil.rmtree(self._folder)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A running PostgreSQL server with an empty database, gone after the session."""
    binaries = _postgresql_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    server = PostgresqlServer(binaries)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgresql_url(postgresql_server: PostgresqlServer) -> str:
    """The URL of its empty database."""
    return postgresql_server.url


def new_database(postgresql_url: str) -> str:
    """Make an empty database on a server and give its URL back."""
    name = f"t_{secrets.token_hex(6)}"
    connection = _driver().connect(postgresql_url.replace("+psycopg", ""))
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name}")
    connection.close()
    return f"{postgresql_url.rpartition('/')[0]}/{name}"


@pytest.fixture
def postgresql_database(postgresql_url: str) -> str:
    """The URL of a new, empty database."""
    return new_database(postgresql_url)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of an S3 server in this process."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_environment(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials and the endpoint, as a person would set them, and nothing of the machine's."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "absent"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "absent"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(s3_environment: None) -> str:
    """The name of a new, empty bucket."""
    import boto3

    name = f"bucket-{secrets.token_hex(6)}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name
