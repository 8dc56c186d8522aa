"""What a guard refuses before a real engine, and that nothing of it has come to be."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
import socket
import tarfile
from typing import Any

import pytest

from everfit_airflow.runners.docker_container import given
from tests.docker.conftest import IMAGE
from tests.docker.guarded import SECRET, Guard, create
from tests.docker.refused import DROP, ESCAPES, NAME, NO_CALLS, H
from tests.docker.shell import until

pytest_plugins = ("tests.docker.guard_fixtures",)
pytestmark = pytest.mark.usefixtures("shell_image")


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(body)
    *above, last = path.split("/")
    place = made
    for part in above:
        place = place.setdefault(part, {}) if isinstance(place, dict) else place[int(part)]
    if value is DROP:
        place.pop(last)
    else:
        place[last] = value
    return made


@pytest.mark.parametrize(("path", "value"), ESCAPES, ids=lambda v: str(v)[:40])
def test_no_other_shape_is_made(guard, engine, wanted, path, value):
    name, body = wanted
    said = guard.refuses(
        "POST", f"/v1.41/containers/create?name={name}", changed(body, path, value)
    )
    assert SECRET not in said
    assert engine.containers.list(all=True, filters={"name": name}) == []


def test_the_shape_itself_is_made(guard, wanted):
    """So that each of the above was refused for what was changed."""
    assert create(guard, wanted)


def test_a_mount_is_of_the_list_and_read_only(guard, engine, wanted, volume):
    mount = {"Type": "volume", "Source": volume, "Target": "/mnt/x", "ReadOnly": True}
    name, body = wanted
    create = f"/containers/create?name={name}"
    for wrong in (
        {"ReadOnly": False},
        {"Target": "/"},
        {"Target": "/task"},
        {"Target": "/task/order.json"},
        {"Target": "/mnt/../task"},
        {"Target": "mnt"},
        {"Target": "/proc/x"},
        {"Type": "bind"},
        {"Target": "//task"},
        {"Source": f"{volume}/"},
        {"VolumeOptions": {"DriverConfig": {"Options": {"o": "bind", "device": "/"}}}},
        {"BindOptions": {"Propagation": "shared"}},
    ):
        guard.refuses("POST", create, changed(body, H + "Mounts", [{**mount, **wrong}]))
    guard.refuses("POST", create, changed(body, H + "Mounts", [mount, mount]))
    assert engine.containers.list(all=True, filters={"name": name}) == []
    assert guard.say("POST", create, changed(body, H + "Mounts", [mount]))[0] == 201


def test_a_name_said_twice_is_refused_and_not_the_last_one_taken(guard, engine, wanted):
    name, body = wanted
    text = json.dumps(body)
    host = json.dumps(body["HostConfig"])
    for doubled in (
        text.replace('"HostConfig":', '"HostConfig": {"Privileged": true}, "HostConfig":'),
        text.replace(host, host[:-1] + ', "CapDrop": ["ALL"]}'),
        text[:-1] + f', "Image": "{IMAGE}"}}',
        text + text,
        text[:-1],
        "[]",
        "null",
        "7",
        "",
        "[" * 100_000,
        text.replace("64", "NaN", 1),
    ):
        guard.refuses("POST", f"/containers/create?name={name}", doubled.encode())
    assert engine.containers.list(all=True, filters={"name": name}) == []


@pytest.mark.parametrize(("method", "path"), NO_CALLS, ids=lambda v: str(v)[:50])
def test_no_other_call_is_let_through(guard, method, path):
    for version in ("", "/v1.41"):
        status, _ = guard.say(method, version + path, {} if method == "POST" else None)
        assert status in (400, 403)  # 400: the method is none of HTTP's
        assert guard.process.poll() is None


def test_spellings_of_a_path_lead_nowhere(guard, client, wanted, foreign):
    made, other = create(guard, wanted), foreign[0].name
    for path in (
        f"/containers/{made}/../{other}/json",
        f"/containers/{made}%2F..%2F{other}/json",
        f"/containers/{made}/%2e%2e/{other}/json",
        f"/v1.41/../containers/{other}/json",
        f"//containers/{made}/json",
        f"/containers//{made}/json",
        f"/containers/{made}/json/",
        f"/containers/{made}%252fjson",
        f"/containers/{made}\\json",
        f"/CONTAINERS/{made}/json",
        f"/v1.41/v1.41/containers/{made}/json",
        f"/v1.12/containers/{made}/json",
        f"/v99.1/containers/{made}/json",
        f"/v1.41%2Fcontainers/{made}/exec",
        f"http://docker/containers/{made}/json",
        f"/containers/{made}/json%00",
        f"/containers/{made}/json;x",
        f"/containers/{made}/json#x",
        f"/containers/{made}/logs?stdout=1&stdout=1",
        f"/containers/{made}/logs?x=1",
        f"/containers/{made}/logs?stdout=1;follow=1",
        f"/containers/{made}/archive?path=/task/../etc",
        f"/containers/{made}/archive?path=/etc",
        f"/containers/{made}/archive?path=/",
        f"/containers/{made}/archive?path=task",
        f"/containers/{made}/archive?path=/task/%2e%2e/etc",
        f"/containers/{made}/archive",
        f"/containers/{made}/archive?path=/task/..",
        f"/containers/{made}/archive?path=/task&path=/",
        f"/images/{IMAGE}/../../containers/json",
        "/images/../containers/x/json",
    ):
        assert guard.say("GET", path)[0] in (400, 403), path
    for query in (
        "",
        "?name=",
        "?name=x&name=y",
        "?name=../x",
        "?name=X",
        f"?name={wanted[0]}&platform=x",
    ):
        guard.refuses("POST", f"/containers/create{query}", wanted[1])
    guard.refuses("PUT", f"/containers/{made}/archive?path=/etc", given(b"x", "o", "1:1"))
    guard.refuses("PUT", f"/containers/{made}/archive?path=/task/..", given(b"x", "o", "1:1"))
    guard.refuses("DELETE", f"/containers/{made}?link=1")
    for signal in ("x;y", "-9", "SIG KILL"):
        guard.refuses("POST", f"/containers/{made}/kill?signal={signal.replace(' ', '%20')}")


def test_one_connection_carries_one_request_as_both_sides_understand_it(guard, engine, wanted):
    """What two readers of HTTP could take for one and for two requests."""
    name, body = wanted
    inner = json.dumps(changed(body, H + "Privileged", True)).encode()
    smuggled = (
        f"POST /containers/create?name={name} HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(inner)}\r\n\r\n"
    ).encode() + inner
    heads = (
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, identity",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Transfer-Encoding : chunked",
        "X: y\r\n Content-Length: 5",
        "Upgrade: tcp\r\nConnection: Upgrade",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA",
    )
    for head in heads:
        request = f"POST /containers/{NAME}/exec HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n0\r\n\r\n"
        answered = guard.raw(request.encode() + smuggled)
        assert b" 101 " not in answered and b" 20" not in answered, (head, answered)
    assert engine.containers.list(all=True, filters={"name": name}) == []
    guard.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    guard.raw(b"\0" * 100_000)
    assert guard.say("GET", "/_ping")[0] == 200


def test_bodies_without_end_are_not_taken_in(guard, client, wanted):
    made = create(guard, wanted)
    for method, path in (
        ("POST", "/containers/create?name=x"),
        ("PUT", f"/containers/{made}/archive?path=/task"),
    ):
        status, said = guard.say(method, path, b"", {"Content-Length": str(1 << 40)})
        assert status == 413, said
        chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert b" 413 " in until(lambda h=head, c=chunk: _answer_to_flood(guard, h.encode(), c))
    # One that nobody asked for is let go with its connection.
    _answer_to_flood(
        guard,
        f"POST /containers/{made}/exec HTTP/1.1\r\nHost: x\r\n"
        "Transfer-Encoding: chunked\r\n\r\n".encode(),
        chunk,
    )
    assert _resident(guard) < 300 << 20


def _answer_to_flood(guard: Guard, head: bytes, chunk: bytes) -> bytes:
    """Send up to 64 MiB, or until it is answered."""
    with socket.create_connection(("127.0.0.1", guard.port), 60) as line:
        with contextlib.suppress(ConnectionError):
            line.sendall(head)
            for _ in range(64):
                line.sendall(chunk)
        with contextlib.suppress(ConnectionError):
            return line.recv(1 << 16)
    return b""


def _resident(guard: Guard) -> int:
    with open(f"/proc/{guard.process.pid}/status") as file:  # noqa: PTH123
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))


def test_archives_hold_plain_files(guard, client, wanted):
    made = create(guard, wanted)
    path = f"/containers/{made}/archive?path=/task"

    def archive(**about: Any) -> bytes:
        written = io.BytesIO()
        with tarfile.open(fileobj=written, mode=about.pop("mode", "w")) as tar:
            for _ in range(about.pop("times", 1)):
                entry = tarfile.TarInfo(about.get("name", "order.json"))
                for name, value in about.items():
                    setattr(entry, name, value)
                entry.size = 1 if entry.isreg() else 0
                tar.addfile(entry, io.BytesIO(b"x"))
        return written.getvalue()

    for wrong in (
        archive(name="../etc/passwd"),
        archive(name="/etc/passwd"),
        archive(name="a/b"),
        archive(name=".."),
        archive(type=tarfile.SYMTYPE, linkname="/etc"),
        archive(type=tarfile.LNKTYPE, linkname="/etc/passwd"),
        archive(type=tarfile.DIRTYPE),
        archive(type=tarfile.BLKTYPE),
        archive(type=tarfile.CHRTYPE),
        archive(type=tarfile.FIFOTYPE),
        archive(mode="w:gz"),
        archive(times=17),
        b"",
        b"x" * 5000,
        archive()[:600],
    ):
        guard.refuses("PUT", path, wrong)
    assert guard.say("PUT", path, archive())[0] == 200


def test_a_setuid_bit_does_not_come_along(guard, client, engine, wanted):
    made = create(guard, wanted)
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        entry = tarfile.TarInfo("tool")
        entry.mode = 0o6755
        tar.addfile(entry, io.BytesIO(b""))
    client.put_archive(made, "/task", written.getvalue())
    _, about = engine.api.get_archive(made, "/task/tool")
    assert about["mode"] == 0o755


def test_garbage_gets_an_answer_and_reaches_nothing(guard, engine):
    """Random paths, heads and bodies, from one seed."""
    dice = random.Random(5)
    before = {container.id for container in engine.containers.list(all=True)}
    pieces = [
        "containers",
        "create",
        "images",
        "json",
        "..",
        "%2e",
        "/",
        "//",
        "?name=",
        "v1.41",
        "exec",
        "\\",
        "%",
        "%00",
        "ä",
        "networks",
        "host",
        "connect",
        "&",
        "=",
        "*",
    ]
    for _ in range(300):
        path = "/" + "".join(dice.choice(pieces) for _ in range(dice.randrange(1, 9)))
        method = dice.choice(["GET", "POST", "PUT", "DELETE", "HEAD"])
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
        answered = guard.raw(head.encode() + dice.randbytes(5))
        assert answered.split()[1] in (b"400", b"403"), (method, path, answered)
    for _ in range(100):
        guard.raw(dice.randbytes(dice.randrange(1, 400)))
    assert {container.id for container in engine.containers.list(all=True)} <= before
    assert guard.say("GET", "/_ping")[0] == 200
    assert "Traceback" not in guard.log
