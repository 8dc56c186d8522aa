"""An MLflow that refuses, is away or is broken: one line, the right exit code, no secret."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from everfit.contracts.errors import CredentialsError, RequestError, Unavailable, UserError
from everfit.contracts.settings import Settings
from everfit.steps.register.step import Register
from everfit.storage.mlflow import champion_alias, open_registry, prepare_database
from everfit.storage.mlflow.base import shown
from tests.unit.register.small_run import small_run


@pytest.fixture
def refusing():
    """A server that answers everything with one status."""
    servers = []

    def start(status: int) -> str:
        class Refuse(BaseHTTPRequestHandler):
            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b"no"
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Refuse)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_the_users_to_mend(settings, refusing, impatient, status):
    address = refusing(status)
    with pytest.raises(CredentialsError, match=r"REGISTRY-CREDENTIALS .*TRACKING_USERNAME") as e:
        champion_alias(settings.model_copy(update={"mlflow": address}), "fares")
    assert e.value.exit_code == 2
    assert "\n" not in e.value.line


def test_a_server_that_is_away_is_asked_again_later(context, impatient):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = context.settings.model_copy(update={"mlflow": f"http://127.0.0.1:{port}"})
    with pytest.raises(Unavailable, match=rf"http://127.0.0.1:{port}: .*did not answer") as e:
        champion_alias(settings, "fares")
    assert e.value.exit_code == 75


def test_a_server_in_trouble_is_asked_again_later(settings, refusing, impatient):
    with pytest.raises(Unavailable, match="REGISTRY-UNAVAILABLE"):
        champion_alias(settings.model_copy(update={"mlflow": refusing(503)}), "fares")


def test_credentials_in_the_address_are_refused_and_not_shown(settings):
    secret = settings.model_copy(update={"mlflow": "http://ada:hunter2@mlflow.example"})
    with pytest.raises(RequestError, match="REGISTRY-URL EVERFIT_MLFLOW") as e:
        open_registry(secret, "fares")
    assert "hunter2" not in e.value.line


def test_an_address_is_shown_without_credentials():
    assert shown("postgresql+psycopg://ada:hunter2@db.example:5432/mlflow?x=1") == (
        "postgresql+psycopg://db.example:5432"
    )
    assert shown("http://mlflow.example/path?token=x") == "http://mlflow.example"
    assert shown("sqlite:////var/mlflow.db?mode=rw") == "sqlite:////var/mlflow.db"


def test_a_file_that_is_no_database_is_the_users_to_mend(context):
    (context.settings.home / "mlflow.db").write_bytes(b"this is no database " * 100)
    with pytest.raises(UserError, match=r"REGISTRY-DAMAGED .*Restore it"):
        Register().run(small_run(context), context)


def test_a_home_that_cannot_hold_a_database_is_the_users_to_mend(settings):
    nowhere = settings.model_copy(update={"mlflow": "sqlite:////proc/nowhere/mlflow.db"})
    with pytest.raises(UserError, match="REGISTRY-RIGHTS /proc/nowhere/mlflow"):
        prepare_database(nowhere)


def test_a_locked_database_is_asked_again_later(context, monkeypatch):
    import sqlite3

    request = small_run(context)
    prepare_database(context.settings)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **{**k, "timeout": 0.05}))
    other = connect(context.settings.home / "mlflow.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(Unavailable, match=r"REGISTRY-UNAVAILABLE .*locked") as e:
            Register().run(request, context)
    finally:
        other.close()
    assert e.value.exit_code == 75
    assert Register().run(request, context).version == 1


def test_another_databases_artifacts_elsewhere_go_through_the_client(settings):
    import sqlite3

    from everfit.storage.mlflow.client import ClientRegistry

    path = prepare_database(settings)
    database = sqlite3.connect(path)
    with database:
        database.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) "
            "VALUES (1, 'fares', 's3://bucket/fares', 'active')"
        )
    database.close()
    assert isinstance(open_registry(settings, "fares"), ClientRegistry)
    assert not isinstance(open_registry(Settings(**dict(settings)), "others"), ClientRegistry)
