"""Worlds under proof: on SQLite and a folder, and on PostgreSQL with a real MLflow server."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from everfit.operations.chaos.world import remembering
from tests.proof.lived import Lived, Services
from tests.proof.shown import SERVED
from tests.services import PostgresqlServer, new_database
from tests.unit.registry.served import mlflow_server

settings.load_profile("ci")  # the same walks every time


@pytest.fixture(scope="package", autouse=True)
def no_syncing() -> Iterator[None]:
    """A killed process loses nothing the kernel has: syncing matters to power cuts alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="package")
def quiet() -> Iterator[None]:
    """No terminal's settings, and no clean process for an answer that is known."""
    with pytest.MonkeyPatch.context() as patch, remembering():
        for name in list(os.environ):
            if name.startswith("EVERFIT_") and name not in ("EVERFIT_PROOF", "EVERFIT_MUTANT"):
                patch.delenv(name)
        patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
        patch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
        patch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
        yield


@pytest.fixture(scope="package")
def on_sqlite(quiet, tmp_path_factory) -> Lived:
    return Lived(tmp_path_factory.mktemp("lived") / "root").live()


@pytest.fixture(scope="package")
def on_services(quiet, tmp_path_factory, postgresql_server: PostgresqlServer) -> Iterator[Lived]:
    folder = tmp_path_factory.mktemp("served")
    backend = new_database(postgresql_server.url)
    with mlflow_server(folder / "mlflow", backend) as address:
        services = Services(
            postgresql_server, new_database(postgresql_server.url), backend, address
        )
        SERVED[:] = [folder / "mlflow" / "artifacts"]
        yield Lived(folder / "root", services).live()
