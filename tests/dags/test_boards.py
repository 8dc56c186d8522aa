"""The cockpit's routes: whose boards are given, and how much is read for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from everfit.contracts.base import canonical_json
from everfit.contracts.board import (
    Board,
    Gain,
    RecentCost,
    RunShown,
    Scored,
    Serving,
    SpanShown,
    board_key,
)
from everfit_airflow.ui import board_routes
from everfit_airflow.ui.boards import MOST_BYTES, Boards
from everfit_airflow.ui.report_pages import build_app

DAY = "2026-03-{:02d}T03:00:00.000Z"


def board(name: str, spans: int = 30, **changes: object) -> Board:
    """One that has lived for as many spans."""
    names = [f"2026/03/{number:02d}/a_rather_long_file_name.parquet" for number in range(spans)]
    gain = Gain(metric="mae", score=1.23456, baseline=1.3456, value=0.1, low=0.01, high=0.21)
    return Board.model_validate(
        {
            "pipeline": name,
            "at": DAY.format(9),
            "state": "well",
            "says": "v3 is as good as it was.",
            "description": "what a ride costs",
            "owner": "the pricing team",
            "task": "regression",
            "target": "fare_amount",
            "metric": "mae",
            "metric_title": "MAE",
            "unit": "$",
            "greater_is_better": False,
            "champion": Serving(
                version=3, since=DAY.format(1), run_key="a" * 64, metric="mae", unit="$", judged=1.2
            ),
            "monitoring": None,
            "last_verdict": None,
            "last_evaluation": None,
            "waits_for_answer": (),
            "false_promotions": {"used": 0.0123456, "limit": 0.05},
            "trainings": {"used": 3, "limit": 10, "per": "30d"},
            "cost": RecentCost(runs=12, cpu_seconds=1234.5678),
            "effect": 0.1,
            "worse_by": "5 %",
            "spans": [SpanShown(name=one, rows=123_456, seen=DAY.format(2)) for one in names],
            "scores": [
                Scored(
                    span=one,
                    version=3,
                    state="measured",
                    score=1.234567890123,
                    attainable=1.2,
                    drift=0.0123456,
                    drifted=("trip_distance",),
                    because="no column has drifted",
                    at=DAY.format(3),
                )
                for one in names
            ],
            "runs": [
                RunShown(
                    run_key="b" * 64,
                    opened=DAY.format(4),
                    trigger="scheduled",
                    verdict="promote",
                    because="surely better",
                    decided=DAY.format(4),
                    version=3,
                    gain=gain,
                    span=None,
                )
            ],
            "journal": (),
            "answers": (),
        }
        | changes
    )


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Gives a function that publishes a board into a folder store."""
    root = tmp_path / "store"
    pipelines = tmp_path / "pipelines"
    pipelines.mkdir()

    def publish(name: str, data: bytes | None = None) -> None:
        path = root / board_key(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_suffix(".new")
        staged.write_bytes(canonical_json(board(name)) if data is None else data)
        staged.replace(path)

    monkeypatch.setenv("EVERFIT_STORE", root.as_uri())
    monkeypatch.setenv("EVERFIT_PIPELINES", str(pipelines))
    publish.url = root.as_uri()
    publish.pipelines = pipelines
    return publish


@pytest.fixture
def asked(monkeypatch):
    """What Airflow's auth manager was asked; it lets ``ada`` read everything but ``secret``."""
    from airflow.api_fastapi import app
    from airflow.models.dag import DagModel

    class Manager:
        def __init__(self) -> None:
            self.asked: list[tuple[str, str, object]] = []

        def is_authorized_dag(self, *, method, access_entity, details, user) -> bool:
            self.asked.append((method, details.id, access_entity))
            return user == "ada" and details.id != "secret.train"

    manager = Manager()
    monkeypatch.setattr(app, "get_auth_manager", lambda: manager)
    monkeypatch.setattr(DagModel, "get_dag_id_to_team_name_mapping", lambda ids: {})
    return manager


@pytest.fixture
def client(place, asked):
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi.testclient import TestClient

    app = build_app()
    app.dependency_overrides[get_user] = lambda: "ada"
    client = TestClient(app)
    client.app_built = app
    return client


def test_only_the_pipelines_a_user_may_read_are_listed(place, client, asked) -> None:
    for name in ("fares", "secret", "tips"):
        place(name)
        (place.pipelines / f"{name}.yaml").write_text("")
    for name in ("young", "secret_too"):
        (place.pipelines / f"{name}.yaml").write_text("")
    found = client.get("/api/boards").json()
    assert [row["pipeline"] for row in found["boards"]] == ["fares", "tips"]
    assert found["without"] == ["secret_too", "young"]
    assert found["readable"] is True
    assert {(method, str(entity)) for method, _, entity in asked.asked} == {
        ("GET", "DagAccessEntity.XCOM")
    }
    assert {dag for _, dag, _ in asked.asked} >= {"fares.train", "secret.train", "young.train"}


def test_a_board_is_given_to_those_who_may_read_its_training(place, client) -> None:
    place("fares")
    place("secret")
    assert Board.model_validate(client.get("/api/boards/fares").json()) == board("fares")
    assert client.get("/api/boards/secret").status_code == 404
    assert client.get("/api/boards/nonsense").status_code == 404
    assert client.get("/api/boards/..%2fdeployment").status_code == 404


def test_nobody_reaches_anything_without_a_login(place, asked) -> None:
    from fastapi.testclient import TestClient

    client = TestClient(build_app())
    place("fares")
    for path in ("/api/boards", "/api/boards/fares", "/cockpit/app.js"):
        assert client.get(path).status_code == 401


def test_what_has_not_changed_is_not_sent_again(place, client) -> None:
    place("fares")
    for path in ("/api/boards", "/api/boards/fares"):
        first = client.get(path)
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache"
        again = client.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
        assert (again.status_code, again.content) == (304, b"")
    place("fares", canonical_json(board("fares", owner="another team")))
    for path in ("/api/boards", "/api/boards/fares"):
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_what_one_user_may_not_see_is_in_no_answer_kept_for_another(place, client) -> None:
    from airflow.api_fastapi.core_api.security import get_user

    place("fares")
    tag = client.get("/api/boards").headers["etag"]
    client.app_built.dependency_overrides[get_user] = lambda: "bob"
    reply = client.get("/api/boards", headers={"If-None-Match": tag})
    assert reply.json()["boards"] == []
    assert client.get("/api/boards/fares").status_code == 404


def test_a_hundred_pipelines_are_a_small_answer(place, client) -> None:
    for number in range(100):
        place(f"pipeline_number_{number}")
    reply = client.get("/api/boards")
    assert len(reply.json()["boards"]) == 100
    assert len(reply.content) < 200_000


def test_what_is_no_board_is_left_out(place, client) -> None:
    place("fares")
    place("other", canonical_json(board("fares")))
    place("later", b'{"format": 2}')
    place("broken", b"{")
    place("huge", b" " * (MOST_BYTES + 1))
    assert [row["pipeline"] for row in client.get("/api/boards").json()["boards"]] == ["fares"]


def test_a_board_is_parsed_once_for_as_long_as_it_stays(place, monkeypatch) -> None:
    from everfit_airflow.ui import boards

    parsed = []
    monkeypatch.setattr(boards, "parsed", lambda name, data: (parsed.append(name), board(name))[1])
    place("fares")
    place("tips")
    every = Boards(place.url)
    for _ in range(3):
        assert list(every.read()) == ["fares", "tips"]
    place("tips", b"changed")
    every.read()
    Path(place.url.removeprefix("file://"), board_key("fares")).unlink()
    assert list(every.read()) == ["tips"]
    assert parsed == ["fares", "tips", "tips"]


def test_boards_are_read_from_a_bucket(bucket) -> None:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    client = S3Hook(aws_conn_id=None).get_conn()
    every = Boards(f"s3://{bucket}/every/fit")
    assert every.read() == {}
    for name in ("fares", "tips"):
        client.put_object(
            Bucket=bucket, Key=f"every/fit/{board_key(name)}", Body=canonical_json(board(name))
        )
    assert list(every.read()) == ["fares", "tips"]
    changed = board("tips", owner="another team")
    client.put_object(
        Bucket=bucket, Key=f"every/fit/{board_key('tips')}", Body=canonical_json(changed)
    )
    assert every.read()["tips"] == changed


def test_a_bucket_that_does_not_answer_is_a_line_without_its_text(bucket, monkeypatch, caplog):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://canary:canary-pass@127.0.0.1:9")
    assert Boards(f"s3://{bucket}").read() == {}
    assert "The boards could not be listed" in caplog.text
    assert "canary" not in caplog.text


def test_of_other_stores_nothing_is_read() -> None:
    assert Boards("memory://here").read() == {}


def test_the_cockpits_files_are_given_as_they_are(client) -> None:
    for name, path in board_routes.files().items():
        reply = client.get(f"/cockpit/{name}")
        assert reply.content == path.read_bytes()
        assert reply.headers["content-type"].split(";")[0] in board_routes.TYPES.values()
    assert client.get("/cockpit/__init__.py").status_code == 404
