"""What is asked of an engine, and what comes of its answers; a real one is in tests/docker."""

from __future__ import annotations

import io
import random
import struct
import tarfile

import pytest

from everfit.contracts.runners import Place
from everfit_airflow.runners import Task
from everfit_airflow.runners.docker_container import body, content, given, user_of
from everfit_airflow.runners.docker_logs import Lines

TASK = Task("fares", "manual__1", "train", 2, "fares", "train")
IMAGE = {"Id": "sha256:" + "a" * 64, "Config": {"User": "1000"}}


def asked(**place) -> dict:
    return body(TASK, Place.model_validate(place), (), b"{}", IMAGE, {"A": "b"})


def test_what_the_settings_say_is_asked_for():
    host = asked(cpu=0.5, memory="2Gi", disk="5M", pids=99, gpu=2)["HostConfig"]
    assert (host["CpuQuota"], host["CpuPeriod"]) == (50_000, 100_000)
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (1 << 31, 1 << 31, 99)
    assert host["Tmpfs"] == {"/tmp": "rw,nosuid,nodev,noexec,mode=1777,size=5000000"}
    (gpus,) = host["DeviceRequests"]
    assert (gpus["Count"], gpus["Capabilities"]) == (2, [["gpu"]])
    assert "DeviceRequests" not in asked()["HostConfig"]


def test_a_path_is_a_folder_and_a_name_a_volume():
    mounts = [{"source": "/srv", "target": "/a"}, {"source": "srv", "target": "/b"}]
    kinds = [mount["Type"] for mount in asked(mounts=mounts)["HostConfig"]["Mounts"]]
    assert kinds == ["bind", "volume"]


@pytest.mark.parametrize(
    ("named", "user"),
    [
        ("1000", "1000:1000"),
        ("1000:0", "1000:1000"),
        ("50000:00", "50000:50000"),
        ("1000:", "1000:1000"),
        ("7:0100", "7:100"),
        ("1000:1000", "1000:1000"),
        ("", "50000:50000"),
        ("0", "50000:50000"),
        ("00", "50000:50000"),
        ("0:5", "50000:50000"),
        ("root", "50000:50000"),
        ("app", "50000:50000"),
        ("١", "50000:50000"),
        (None, "50000:50000"),
    ],
)
def test_nobody_is_root(named, user):
    assert user_of({"Config": {"User": named}}) == user


def test_the_name_is_the_same_through_all_tries_and_no_other_tasks():
    other = [
        Task("fares2", "manual__1", "train", 2, "fares", "train"),
        Task("fares", "manual__2", "train", 2, "fares", "train"),
        Task("fares", "manual__1", "train", 1, "fares", "train"),
        Task("fares", "manual__1", "prepare", 2, "fares", "train"),
    ]
    assert TASK.name == Task("fares", "manual__1", "train", 2, "fares", "train").name
    assert len({TASK.name, *(task.name for task in other)}) == 5
    assert TASK.name.startswith("everfit-fares-train-")


def test_the_order_is_nobodys_to_change_and_the_outcome_the_components():
    with tarfile.open(fileobj=io.BytesIO(given(b"{}", "me", "1000:5"))) as tar:
        found = {entry.name: (entry.uid, entry.gid, entry.mode, entry.size) for entry in tar}
    assert found == {
        "order.json": (0, 0, 0o444, 2),
        "owner": (0, 0, 0o444, 2),
        "outcome.json": (1000, 5, 0o666, 0),
    }


def archive(kind: bytes, data: bytes = b"") -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        entry = tarfile.TarInfo("outcome.json")
        entry.type, entry.size, entry.linkname = kind, len(data), "/etc/passwd"
        tar.addfile(entry, io.BytesIO(data))
    return written.getvalue()


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (archive(tarfile.REGTYPE, b"{}"), b"{}"),
        (archive(tarfile.REGTYPE), None),
        (archive(tarfile.SYMTYPE), None),
        (archive(tarfile.LNKTYPE), None),
        (archive(tarfile.FIFOTYPE), None),
        (archive(tarfile.DIRTYPE), None),
        (b"", None),
        (b"no archive", None),
    ],
)
def test_an_outcome_is_a_plain_file(sent, found):
    assert content([sent]) == found


def test_an_outcome_is_no_larger_than_may_be():
    assert content([archive(tarfile.REGTYPE, b"x" * 100)], limit=100) == b"x" * 100
    with pytest.raises(ValueError, match="at most 100 bytes"):
        content([archive(tarfile.REGTYPE, b"x" * 101)], limit=100)
    endless = iter(lambda: b"\0" * 65536, b"")
    with pytest.raises(ValueError, match="at most"):
        content(endless)


def stamped(second: int) -> str:
    return f"2026-03-02T03:{second // 60:02}:{second % 60:02}.{second:09}Z"


def sent(messages: list[tuple[int, int, bytes]]) -> bytes:
    """As the engine frames them: channel, second, and the bytes."""
    framed = b""
    for channel, second, text in messages:
        message = stamped(second).encode() + b" " + text
        framed += struct.pack(">BxxxL", channel, len(message)) + message
    return framed


@pytest.mark.parametrize("seed", range(20))
def test_wherever_the_stream_breaks_no_line_is_lost_or_told_twice(seed):
    draw = random.Random(seed)
    messages = [(draw.choice((1, 2)), second, f"line {second}\n".encode()) for second in range(200)]
    # The engine writes the two channels as they come, not by their times.
    messages.sort(key=lambda message: message[1] + 2.5 * (message[0] == 2))
    told: list[str] = []
    lines = Lines(told.append)
    whole = sent(messages)
    for _ in range(5):
        lines.read(io.BytesIO(whole[: draw.randrange(len(whole))]))
    lines.read(io.BytesIO(whole))
    lines.finish()
    assert sorted(told) == sorted(f"line {second}" for second in range(200))


def test_the_stream_is_taken_up_where_the_slower_channel_was():
    lines = Lines(lambda line: None)
    assert lines.since is None
    lines.read(io.BytesIO(sent([(1, 5, b"a\n"), (2, 3, b"b\n"), (1, 9, b"c\n")])))
    assert lines.since == "1772420403.000000003"  # date -u -d 2026-03-02T03:00:03Z +%s


def test_a_line_without_an_end_is_told_in_pieces():
    told: list[str] = []
    lines = Lines(told.append)
    lines.read(io.BytesIO(sent([(1, second, b"x" * 16384) for second in range(10)])))
    lines.finish()
    assert "".join(told) == "x" * 163840
    assert max(map(len, told)) < 100_000
