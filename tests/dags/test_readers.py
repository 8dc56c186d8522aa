"""Whose pages are given to whom: a real database of Airflow's, and runs that left pages in it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.steps import Ended, Outcome
from everfit_airflow.ui.report_pages import build_app
from everfit_airflow.ui.run_tab import BECAUSE, ENDED
from tests.summaries import summary

SECRET, OPEN = (f"<!doctype html><title>{name}</title>".encode() for name in ("secret", "open"))
AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def database():
    """An empty one, with Airflow's tables."""
    import airflow.models
    from airflow import settings
    from airflow.models.base import Base

    airflow.models.import_all_models()
    Base.metadata.create_all(settings.engine)
    yield
    Base.metadata.drop_all(settings.engine)


@pytest.fixture
def left(database):
    """Gives a function that has a task of a run leave something."""
    from airflow.models.dagrun import DagRun
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunType
    from sqlalchemy import delete, insert, select, text

    def leave(dag_id, task, value, *, key="return_value", index=-1, conf=None, run="r1"):
        with create_session() as session:
            session.execute(text("PRAGMA foreign_keys = OFF"))  # without a row for each task
            run_id = session.scalar(
                select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == run)
            )
            if run_id is None:
                made = DagRun(
                    dag_id=dag_id, run_id=run, run_type=DagRunType.MANUAL, conf=conf, run_after=AT
                )
                session.add(made)
                session.flush()
                run_id = made.id
            session.execute(
                insert(XComModel.__table__).values(
                    dag_run_id=run_id,
                    task_id=task,
                    map_index=index,
                    key=key,
                    dag_id=dag_id,
                    run_id=run,
                    value=XComModel.serialize_value(value),
                    timestamp=AT,
                )
            )

    yield leave
    with create_session() as session:
        for model in (XComModel, DagRun):
            session.execute(delete(model))


@pytest.fixture
def client(tmp_path, left, monkeypatch):
    """Somebody who may read every DAG but those of ``secret``."""
    from airflow.api_fastapi import app as api
    from airflow.api_fastapi.core_api import security
    from fastapi.testclient import TestClient

    class Manager:
        may_read_all = False

        def is_authorized_dag(self, *, method, access_entity, details, user) -> bool:
            assert (method, str(access_entity), user) == ("GET", "DagAccessEntity.XCOM", "bob")
            return self.may_read_all or not (details.id or "").startswith("secret.")

    manager = Manager()
    for module in (api, security):
        monkeypatch.setattr(module, "get_auth_manager", lambda: manager)
    monkeypatch.setenv("EVERFIT_STORE", tmp_path.as_uri())
    for page in (SECRET, OPEN):
        digest = hashlib.sha256(page).hexdigest()
        path = tmp_path / "blobs" / digest[:2] / digest
        path.parent.mkdir(parents=True)
        path.write_bytes(page)
    app = build_app()
    app.dependency_overrides[security.get_user] = lambda: "bob"
    client = TestClient(app)
    client.manager = manager
    return client


def outcome(component: str, page: bytes, said: object = None) -> dict:
    return Outcome(
        component=component,
        result="1" * 64,
        key="2" * 64,
        cached=False,
        seconds=1.0,
        summary=said,
        reports={"decision_report": artifact(page)},
    ).model_dump(mode="json")


def artifact(page: bytes) -> Artifact:
    digest = hashlib.sha256(page).hexdigest()
    return Artifact(name="decision_report.html", digest=digest, size=len(page))


def at(page: bytes) -> str:
    return f"/report/{hashlib.sha256(page).hexdigest()}"


def test_a_page_is_for_those_who_may_read_the_dag_that_left_it(client, left):
    left("secret.train", "gate", outcome("gate", SECRET))
    left("fares.train", "gate", outcome("gate", OPEN))
    assert client.get(at(OPEN)).content == OPEN
    refused, unknown = client.get(at(SECRET)), client.get("/report/" + "0" * 64)
    assert (refused.status_code, refused.json()) == (unknown.status_code, unknown.json())
    assert refused.status_code == 404
    client.manager.may_read_all = True
    assert client.get(at(SECRET)).content == SECRET


def test_a_right_that_is_taken_away_is_gone_at_once(client, left):
    client.manager.may_read_all = True
    left("secret.monitor", "monitor", outcome("gate", SECRET))
    assert client.get(at(SECRET)).status_code == 200
    client.manager.may_read_all = False
    assert client.get(at(SECRET)).status_code == 404


def test_a_page_that_no_run_has_left_is_nobodys(client, left):
    client.manager.may_read_all = True
    assert client.get(at(OPEN)).status_code == 404
    digest = hashlib.sha256(OPEN).hexdigest()
    left("other", "gate", outcome("gate", OPEN))  # a DAG that is none of Everfit's
    left("fares.train", "wake", {"says": digest})  # named, and no report
    left("fares.train", "gate", outcome("gate", OPEN), key="anything")
    assert client.get(at(OPEN)).status_code == 404
    ended = Ended(nothing_to_do="nothing", reports={"data_report": artifact(OPEN)})
    left("fares.train", "validate", ended.model_dump(mode="json"), key=ENDED)
    assert client.get(at(OPEN)).content == OPEN


@pytest.mark.parametrize("dag", ["everfit.promote", "everfit.rollback"])
def test_who_may_promote_reads_the_pages_of_their_own_pipelines(client, left, dag):
    left(dag, "promote", outcome("promote", SECRET), conf={"pipeline": "secret"}, run="a")
    left(dag, "promote", "PROMOTE secret: no", key=BECAUSE, run="a")
    left(dag, "promote", outcome("promote", OPEN), conf={"pipeline": "fares"}, run="b")
    for address in (at(SECRET), f"/runs/{dag}/a/decision_report"):
        assert client.get(address).status_code == 404, address
    state = client.get(f"/runs/{dag}/a").json()
    assert state["reports"] == state["reasons"] == state["decisions"] == []
    for address in (at(OPEN), f"/runs/{dag}/b/decision_report"):
        assert client.get(address).content == OPEN, address
    client.manager.may_read_all = True
    assert client.get(f"/runs/{dag}/a/decision_report").content == SECRET
    assert client.get(f"/runs/{dag}/a").json()["reasons"]


def test_of_a_repair_of_all_pipelines_one_sees_ones_own(client, left):
    dag = "everfit.reconcile"
    left(dag, "pipelines", ["secret", "fares"])
    for index, name in enumerate(("secret", "fares")):
        said = summary("reconcile", pipeline=name, repaired=[f"an alias of {name}"])
        value = outcome("reconcile", OPEN, said)
        left(dag, "reconcile", value, index=index)
    left(dag, "reconcile", "RECONCILE secret: no", key=BECAUSE, index=0)
    state = client.get(f"/runs/{dag}/r1").json()
    assert "fares" in str(state)
    assert "secret" not in str(state)
    client.manager.may_read_all = True
    assert "secret" in str(client.get(f"/runs/{dag}/r1").json())
