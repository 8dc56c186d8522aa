"""A real Airflow tells a real mail server what happened, each thing once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape

import pytest

from tests.airflow.mail_server import Mails, mail_server
from tests.airflow.stand import Stand, until
from tests.services import new_database

pytestmark = pytest.mark.thorough

WITHOUT_TRIGGERS = {"triggers": {}}


@pytest.fixture(scope="module")
def mails() -> Iterator[Mails]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def stand(
    tmp_path_factory: pytest.TempPathFactory, postgresql_url: str, mails: Mails
) -> Iterator[Stand]:
    """Airflow with one line that turns notices on, and a connection made as a person makes it."""
    made = Stand(
        tmp_path_factory.mktemp("notices"),
        new_database(postgresql_url),
        new_database(postgresql_url),
        environ={"EVERFIT_NOTIFY": "smtp:team@example.org"},
        schedulers=1,
    )
    made.start()
    extra = {"from_email": "everfit@example.org", "disable_tls": True, "disable_ssl": True}
    made.api.call(
        "POST",
        "/connections",
        {
            "connection_id": "smtp_default",
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": mails.port,
            "extra": json.dumps(extra),
        },
    )
    try:
        yield made
    finally:
        made.stop()


def run(stand: Stand, name: str) -> str:
    """One run by hand; how it ended."""
    dag_id = f"{name}.train"
    return stand.airflow.wait_for_run(dag_id, stand.api.trigger(dag_id), timeout=300)


def variables(stand: Stand) -> list[dict[str, str]]:
    """Airflow's variables."""
    return list(stand.api.call("GET", "/variables")["variables"])


def test_a_promotion_is_one_mail_with_its_report_and_its_run(stand: Stand, mails: Mails) -> None:
    name = stand.pipeline("promoting", **WITHOUT_TRIGGERS)
    stand.arrive(name, range(3))
    stand.ready(f"{name}.train")
    assert run(stand, name) == "success"
    subject = "[promoting] promoted: version 1 is the champion"
    until(lambda: mails.subjects(name), "a mail arrives")
    page = mails.page(subject)
    base = stand.airflow.address
    assert f'<a href="{base}/everfit/report/' in page
    assert f'<a href="{base}/dags/promoting.train/runs/manual__' in page
    assert run(stand, name) == "success"  # nothing changed: skipped
    assert mails.subjects(name) == [subject]


def test_a_failure_is_one_mail_until_it_is_mended(stand: Stand, mails: Mails) -> None:
    name = stand.pipeline("failing", **WITHOUT_TRIGGERS, target="tip")
    stand.arrive(name, range(3))
    stand.ready(f"{name}.train")
    dag_id = f"{name}.train"
    run_id = stand.api.trigger(dag_id)
    assert stand.airflow.wait_for_run(dag_id, run_id, timeout=300) == "failed"
    (task,) = [task for task in stand.api.tasks(dag_id, run_id) if task.state == "failed"]
    because = stand.api.xcom(dag_id, run_id, task.task, "because")
    subject = f"[failing] failed: {task.task} of failing.train"
    until(lambda: mails.subjects(name), "a mail arrives")
    page = mails.page(subject)
    assert escape(because) in page
    assert f'<a href="{stand.airflow.address}/dags/failing.train/runs/' in page
    assert run(stand, name) == "failed"
    assert [v["key"] for v in variables(stand)] == [f"everfit.failing.failing.train.{task.task}"]
    stand.pipeline(name, **WITHOUT_TRIGGERS)
    assert run(stand, name) == "success"
    until(lambda: len(mails.subjects(name)) > 1, "the promotion is told")
    assert mails.subjects(name) == [subject, "[failing] promoted: version 1 is the champion"]
    assert variables(stand) == []


@pytest.mark.thorough
def test_what_is_quarantined_is_told_where_the_run_stops(stand: Stand, mails: Mails) -> None:
    name = stand.pipeline("stopping", **WITHOUT_TRIGGERS)
    stand.arrive(name, range(2))
    newest = max((stand.data / name).glob("*.csv"))
    header, *rows = newest.read_text().splitlines()
    cells = [row.split(",") for row in rows]
    for row in cells:
        row[1] = str(float(row[1]) * 1000)
    newest.write_text("\n".join([header, *map(",".join, cells)]) + "\n")
    stand.ready(f"{name}.train")
    run_id = stand.api.trigger(f"{name}.train")
    assert stand.airflow.wait_for_run(f"{name}.train", run_id, timeout=300) == "failed"
    until(lambda: mails.subjects(name), "a mail arrives")
    (subject,) = mails.subjects(name)
    assert subject == "[stopping] failed: validate of stopping.train"
    page = mails.page(subject)
    assert newest.name in page
    assert "UNIT-CHANGE" in page
