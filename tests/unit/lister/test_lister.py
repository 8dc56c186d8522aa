"""The lister as a process: requests in, answers out, whatever comes in; and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from everfit.contracts.settings import Settings
from everfit.data.listing.answers import answer

SECRET = "postgresql://everfit:correct-horse@127.0.0.1:9/none"
REPOSITORY = Path(__file__).resolve().parents[3]


class Talk:
    """A lister at work."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "everfit.data.listing"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                "EVERFIT_ROOT": str(folder),
                "PYTHONPATH": str(REPOSITORY / "pipeline_components"),
            },
        )

    def say(self, *requests: Any) -> None:
        for request in requests:
            line = request if isinstance(request, bytes) else json.dumps(request).encode()
            self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def hear(self, count: int) -> list[dict[str, Any]]:
        return [json.loads(self.process.stdout.readline()) for _ in range(count)]


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    talk = Talk(tmp_path)
    yield talk
    talk.process.kill()
    talk.process.wait()
    for stream in (talk.process.stdin, talk.process.stdout, talk.process.stderr):
        with contextlib.suppress(BrokenPipeError):
            stream.close()


def folder(tmp_path: Path, name: str = "in") -> dict[str, str]:
    (tmp_path / name).mkdir(exist_ok=True)
    return {"uri": str(tmp_path / name)}


def test_the_state_is_of_names_and_contents(talk, tmp_path):
    source = folder(tmp_path)
    states = []
    for name, text in ((None, ""), ("a.csv", "x\n1\n"), ("b.csv", "x\n1\n"), ("a.csv", "x\n22\n")):
        if name:
            (tmp_path / "in" / name).write_text(text)
        talk.say({"id": 1, "source": source}, {"id": 2, "source": source})
        one, two = talk.hear(2)
        assert one["state"] == two["state"]
        states.append(one["state"])
    assert len(set(states)) == 4


@pytest.mark.thorough
def test_a_thousand_requests_get_an_answer_each(talk, tmp_path):
    source = folder(tmp_path)
    (tmp_path / "in" / "a.csv").write_text("x\n1\n")
    talk.say(*({"id": n, "source": source} for n in range(1000)))
    answers = talk.hear(1000)
    assert sorted(reply["id"] for reply in answers) == list(range(1000))
    assert {(reply["spans"], reply["state"]) for reply in answers} == {(1, answers[0]["state"])}


def test_garbage_gets_an_answer_and_holds_up_nothing(talk, tmp_path):
    dice = random.Random(1)
    garbage = [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"id": 1}',
        b'{"id": 1, "source": 3}',
        b"\xff\xfe",
        b"NaN",
        b"[" * 100_000,
        b'{"id": 1, "source": {"uri": "s3://"}, "do": "receive"}',
        b'{"id": 1, "source": {"uri": "/"}, "do": "delete"}',
        b'{"id": 1, "source": {"uri": "/no/such/folder"}}',
        b'{"id": 1, "source": {"uri": "sql"}}',
        b'{"id": 1, "do": 7, "source": {"uri": "/"}}',
        *(dice.randbytes(50).replace(b"\n", b"") for _ in range(50)),
    ]
    talk.say(*garbage, {"id": "last", "source": folder(tmp_path)})
    answers = talk.hear(len([line for line in garbage if line.strip()]) + 1)
    assert [reply["spans"] for reply in answers if reply["id"] == "last"] == [0]
    assert all(reply["error"] and reply["code"] for reply in answers if reply["id"] != "last")


def test_no_answer_holds_a_secret(talk, tmp_path):
    source = {"uri": "sql", "connection": "trips", "query": "SELECT 1 AS t", "watermark": "t"}
    talk.say({"id": 1, "source": source, "connection": SECRET})
    (reply,) = talk.hear(1)
    assert reply["code"] == "SOURCE-UNAVAILABLE" and reply["retry"]
    assert "correct-horse" not in json.dumps(reply)
    assert b"correct-horse" not in Path(f"/proc/{talk.process.pid}/cmdline").read_bytes()
    assert b"correct-horse" not in Path(f"/proc/{talk.process.pid}/environ").read_bytes()
    talk.process.stdin.close()
    assert b"correct-horse" not in talk.process.stderr.read()


def test_a_database_is_watched_by_its_watermark(tmp_path, settings):
    import sqlite3

    path = tmp_path / "trips.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE trips (t TEXT, x INT)")
        database.executemany(
            "INSERT INTO trips VALUES (?, 1)", [("2020-01-05 00:00:00",), ("2020-02-05 00:00:00",)]
        )
    request = {
        "id": 1,
        "source": {
            "uri": "sql",
            "connection": "db",
            "query": "SELECT * FROM trips",
            "watermark": "t",
        },
        "connection": f"sqlite:///{path}",
    }
    before = answer(request, settings)
    assert before["spans"] == 1 and answer(request, settings)["state"] == before["state"]
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO trips VALUES ('2020-03-01 00:00:00', 1)")
    after = answer(request, settings)
    assert after["spans"] == 2 and after["state"] != before["state"]
    database.close()
    # Without the connection, that of an earlier request is not used.
    assert answer({**request, "connection": None}, settings)["code"] == "SOURCE-CONNECTION"


def test_a_source_is_news_where_a_table_beside_it_changes(settings):
    for name in ("a", "b"):
        (settings.data / name).mkdir()
        (settings.data / name / "1.csv").write_text("x\n1\n")
    source, table = ({"uri": f"{{data}}/{name}/*.csv"} for name in ("a", "b"))
    request = {"id": 1, "source": source, "tables": [{"source": table, "connection": None}]}
    before = answer(request, settings)
    assert answer(request, settings)["state"] == before["state"]
    (settings.data / "b" / "2.csv").write_text("x\n2\n")
    after = answer(request, settings)
    assert (after["spans"], before["spans"]) == (1, 1)
    assert after["state"] != before["state"]
    (settings.data / "b" / "1.csv").unlink()
    (settings.data / "b" / "2.csv").unlink()
    (settings.data / "b").rmdir()
    assert answer(request, settings)["code"].startswith("SOURCE")


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until(holds) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_ends_with_its_input(talk):
    talk.say({"id": 1, "source": {"uri": "/no/such"}})
    talk.hear(1)
    talk.process.stdin.close()
    assert talk.process.wait(60) == 0


def test_it_ends_with_a_killed_parent_even_where_its_input_stays_open(tmp_path):
    script = (
        "import os, subprocess, sys, time\n"
        "made = subprocess.Popen([sys.executable, '-m', 'everfit.data.listing',"
        " '--parent', str(os.getpid())],"
        " stdin=os.open(sys.argv[1], os.O_RDWR), stdout=2)\n"
        "print(made.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    mine = os.open(pipe, os.O_RDWR)  # somebody else holds the input open
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(pipe)], stdout=subprocess.PIPE, cwd=REPOSITORY
    )
    child = int(parent.stdout.readline())
    wait_until(lambda: b"everfit.data.listing" in Path(f"/proc/{child}/cmdline").read_bytes())
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    wait_until(lambda: gone(child))
    os.close(mine)


def test_a_bucket_is_asked_as_whom_the_request_says(monkeypatch):
    """And as nobody in part: a session of before is not mixed with the keys of now."""
    from everfit.data.listing import answers

    around = {"AWS_SESSION_TOKEN": "old", "AWS_ACCESS_KEY_ID": "old", "AWS_REGION": "here"}
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(answers, "_AROUND", around)
    monkeypatch.setattr(answers, "_given", set())
    now = {"AWS_ACCESS_KEY_ID": "new", "AWS_SECRET_ACCESS_KEY": "s", "PATH": "/x"}
    request = {"do": "nothing", "source": {"uri": "s3://lake/*.csv"}}
    for aws, expected in (
        (None, around),
        (now, {"AWS_ACCESS_KEY_ID": "new", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "here"}),
        (None, around),
    ):
        path = os.environ["PATH"]
        answer({**request, "aws": aws}, Settings.from_environment({}))
        assert {k: v for k, v in os.environ.items() if k.startswith("AWS_")} == expected
        assert os.environ["PATH"] == path
