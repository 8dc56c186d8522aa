"""The lister as a service: many who ask at once, whatever comes in, and who is not answered."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from everfit.contracts.errors import UserError
from everfit.data.listing import service
from everfit.data.listing.service import ping, split_address

REPOSITORY = Path(__file__).resolve().parents[3]
SECRET = "postgresql://everfit:correct-horse@127.0.0.1:9/none"


class Served:
    """A service as a process."""

    def __init__(self, folder: Path, **told: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "everfit.data.listing", "--listen", "127.0.0.1:0"],
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "EVERFIT_ROOT": str(folder),
                "PYTHONPATH": str(REPOSITORY / "pipeline_components"),
                **told,
            },
        )
        line = self.process.stderr.readline()
        assert "listens on" in line, line
        self.address = line.split()[-1]

    def connect(self) -> Talk:
        return Talk(self.address)

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        said = self.process.communicate(timeout=60)[1]
        assert self.process.returncode == 0
        return said


class Talk:
    """A connection to it."""

    def __init__(self, address: str) -> None:
        self.socket = socket.create_connection(split_address(address), 60)
        self.answers = self.socket.makefile("rb")

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *error: object) -> None:
        self.answers.close()
        self.socket.close()

    def say(self, *requests: Any) -> None:
        for request in requests:
            line = request if isinstance(request, bytes) else json.dumps(request).encode()
            self.socket.sendall(line + b"\n")

    def hear(self, count: int) -> list[dict[str, Any]]:
        return [json.loads(self.answers.readline()) for _ in range(count)]

    def closed(self) -> bool:
        try:
            return self.answers.readline() == b""
        except ConnectionResetError:
            return True


@pytest.fixture
def served(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("x\n1\n")
    served = Served(tmp_path)
    yield served
    if served.process.poll() is None:
        served.stop()


def look(tmp_path, number=1):
    return {"id": number, "do": "look", "source": {"uri": str(tmp_path / "in")}}


@pytest.mark.thorough
def test_each_of_many_gets_its_own_answers(served, tmp_path):
    with contextlib.ExitStack() as stack:
        talks = [stack.enter_context(served.connect()) for _ in range(30)]
        for number, talk in enumerate(talks):
            talk.say(*(look(tmp_path, f"{number}-{n}") for n in range(50)))
        for number, talk in enumerate(talks):
            answers = talk.hear(50)
            assert {reply["id"] for reply in answers} == {f"{number}-{n}" for n in range(50)}
            assert {reply["spans"] for reply in answers} == {1}


@pytest.mark.thorough
def test_more_than_it_takes_at_once_still_get_an_answer_each(served, tmp_path):
    with served.connect() as talk:
        count = 2 * service.AT_ONCE + 1
        talk.say(*(look(tmp_path, n) for n in range(count)))
        assert {reply["id"] for reply in talk.hear(count)} == set(range(count))


def test_garbage_gets_an_answer_and_holds_up_nobody(served, tmp_path):
    dice = random.Random(2)
    garbage = [
        b"null",
        b"[]",
        b"{}",
        b'{"id": 1, "source": 3}',
        b"\xff\xfe",
        b"[" * 50_000,
        *(dice.randbytes(40).replace(b"\n", b"") for _ in range(50)),
    ]
    with served.connect() as talk, served.connect() as other:
        talk.say(*garbage, look(tmp_path, "last"))
        answers = talk.hear(len([line for line in garbage if line.strip()]) + 1)
        assert [reply["spans"] for reply in answers if reply["id"] == "last"] == [1]
        assert all(reply["code"] for reply in answers if reply["id"] != "last")
        with contextlib.suppress(ConnectionError):
            talk.say(b'{"id": "' + b"x" * service.LONGEST + b'"}')
        assert talk.closed()
        other.say(look(tmp_path))
        assert other.hear(1)[0]["spans"] == 1


def test_there_is_an_end_to_connections_and_one_that_leaves_makes_room(served, tmp_path):
    with contextlib.ExitStack() as stack:
        talks = [stack.enter_context(served.connect()) for _ in range(service.CLIENTS)]
        for talk in talks:
            talk.say({"id": 1, "do": "ping"})
            assert talk.hear(1) == [{"id": 1, "state": "listening"}]
        with served.connect() as further:
            assert further.closed()
        assert not ping(served.address)
    while not ping(served.address):  # until those that left are noticed
        pass


def test_a_ping_says_whether_it_listens(served):
    command = [sys.executable, "-m", "everfit.data.listing", "--ping", served.address]
    told = {**os.environ, "PYTHONPATH": str(REPOSITORY / "pipeline_components")}
    assert subprocess.run(command, env=told, check=False).returncode == 0
    served.stop()
    assert subprocess.run(command, env=told, check=False).returncode == 1


def test_neither_an_answer_nor_the_log_holds_a_secret(served):
    source = {"uri": "sql", "connection": "trips", "query": "SELECT 1 AS t", "watermark": "t"}
    with served.connect() as talk:
        talk.say({"id": 1, "source": source, "connection": SECRET})
        (reply,) = talk.hear(1)
    assert reply["code"] == "SOURCE-UNAVAILABLE" and "correct-horse" not in json.dumps(reply)
    assert "correct-horse" not in served.stop()


def test_only_who_says_the_token_is_answered(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "token").write_text("battery-staple\n")
    served = Served(tmp_path, EVERFIT_LISTER_TOKEN=str(tmp_path / "token"))
    enter = {"id": 0, "do": "enter", "token": "battery-staple"}
    try:
        assert ping(served.address)
        for first in (look(tmp_path), {**enter, "token": "battery"}, {**enter, "token": 7}, b"{"):
            with served.connect() as talk:
                talk.say(first)
                (reply,) = talk.hear(1)
                assert reply["code"] == "LISTER-TOKEN" and talk.closed()
        with served.connect() as talk:
            talk.say(enter, look(tmp_path))
            entered, seen = talk.hear(2)
            assert entered == {"id": 0, "state": "listening"} and seen["spans"] == 0
    finally:
        assert "battery-staple" not in served.stop()


def test_a_token_that_cannot_be_read_keeps_it_shut(tmp_path):
    (tmp_path / "empty").write_text("\n")
    for name in ("absent", "empty"):
        told = {
            "PYTHONPATH": str(REPOSITORY / "pipeline_components"),
            "EVERFIT_LISTER_TOKEN": str(tmp_path / name),
        }
        ended = subprocess.run(
            [sys.executable, "-m", "everfit.data.listing", "--listen", "127.0.0.1:0"],
            env={**os.environ, **told},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 2 and "LISTER-TOKEN" in ended.stderr


def test_an_address_is_host_and_port():
    assert split_address("0.0.0.0:8790") == ("0.0.0.0", 8790)
    assert split_address("[::1]:8790") == ("::1", 8790)
    for wrong in ("8790", "lister:", "lister:x", "lister:99999", ""):
        with pytest.raises(UserError, match="LISTER-ADDRESS"):
            split_address(wrong)
