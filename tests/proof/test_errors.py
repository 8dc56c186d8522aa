"""Full and read-only disks, an MLflow that is away, slow or lies, a database that restarts.

Each ends in one line with a way out, or in success; what was promised holds; the next try makes
everything as if nothing had been.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from everfit.operations.chaos.acts import Ended, asking, full, in_child, read_only
from tests.points import evenly
from tests.proof.invariants import check_always, check_settled
from tests.proof.lived import STEPS, Lived
from tests.proof.mounts import NotAllowed, own_mounts, protect, small_disk
from tests.proof.proxy import Fault, proxy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The ``noload``:DeprecationWarning"),
]

FILES = ("open", "os.", "fsync")
LINE = re.compile(r"[A-Z]+(-[A-Z0-9]+)* \S.*: .+\.")
NOT_ALLOWED = 77
NOWHERE = Path("/nowhere")
"""No act is below it: nothing is counted."""


def assert_told(ended: Ended, where: str) -> None:
    """Success, or one line that a person can act on, and the exit code that belongs to it."""
    assert not ended.killed, where
    assert "Traceback" not in ended.said and "INTERNAL" not in ended.said, f"{where}: {ended.said}"
    assert ended.code in (0, 2, 75), f"{where}: {ended.code} {ended.said}"
    if ended.code:
        assert LINE.fullmatch(ended.said.strip().splitlines()[-1]), f"{where}: {ended.said}"


def ending(lived: Lived, name: str) -> dict[str, object]:
    """The world after the step, where nothing went wrong."""
    lived.put_back(name)
    lived.again(name)
    check_settled(lived.settings)
    return lived.state()


def assert_recovers(lived: Lived, name: str, expected: dict[str, object], where: str) -> None:
    """Nothing broken now, nor different once it has run again."""
    try:
        check_always(lived.settings)
        lived.again(name)
        check_settled(lived.settings)
        assert lived.state() == expected
    except Exception as error:
        raise AssertionError(where) from error


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("refusal", ["full", pytest.param("read-only", marks=pytest.mark.thorough)])
def test_a_disk_that_takes_nothing_from_the_nth_call_on(
    on_sqlite: Lived, step: str, refusal: str
) -> None:
    name, deed = f"second {step}", full if refusal == "full" else read_only
    expected = ending(on_sqlite, name)
    carry_out, home = on_sqlite.carry_out(name), on_sqlite.settings.home
    on_sqlite.put_back(name)
    acts = in_child(carry_out, home, only=FILES, before=on_sqlite.as_process).acts
    failed = 0
    for point in evenly(range(1, len(acts) + 1), 4):
        where = f"{refusal} from act {point} of {len(acts)} on: {acts[point - 1]}"
        on_sqlite.put_back(name)
        ended = in_child(
            carry_out,
            home,
            at=point,
            deed=deed,
            onwards=True,
            only=FILES,
            before=on_sqlite.as_process,
        )
        assert_told(ended, where)
        failed += ended.code != 0
        assert_recovers(on_sqlite, name, expected, where)
    assert failed > 1


ROOM = (0, 4 << 10, 16 << 10, 64 << 10, 200 << 10, 800 << 10, 1200 << 10, 8 << 20)
"""Bytes that a disk has left when a step begins."""


@pytest.mark.parametrize("step", STEPS)
def test_a_disk_with_so_little_room(on_sqlite: Lived, step: str) -> None:
    """A real one, with the databases on it too: SQLite's own writes fail as well."""
    name = f"first {step}"
    expected = ending(on_sqlite, name)
    carry_out, code = on_sqlite.carry_out(name), on_sqlite.root / "code"
    said, codes = on_sqlite.root / "said", []
    for room in ROOM:

        def function(room: int = room) -> int:
            try:
                on_a_disk(on_sqlite, name)
            except NotAllowed:
                return NOT_ALLOWED
            ballast = on_sqlite.settings.home / "ballast"
            free = shutil.disk_usage(ballast.parent).free
            ballast.write_bytes(bytes(max(free - room, 0)))
            on_sqlite.as_process()
            code.write_text(str(carry_out()))
            sys.stderr.flush()
            shutil.copyfile("/proc/self/fd/2", said)
            ballast.unlink()
            assert_recovers(on_sqlite, name, expected, f"{room} bytes of room")
            return 0

        ended = in_child(function, NOWHERE)
        if ended.code == NOT_ALLOWED:
            pytest.skip("nobody may mount here")
        assert ended.code == 0, ended.said
        told = Ended(False, int(code.read_text()), (), said.read_text())
        assert_told(told, f"{room} bytes of room")
        codes.append(told.code)
    assert codes[0] == 75 and codes[-1] == 0, codes


def on_a_disk(lived: Lived, name: str) -> None:
    """Have the world before a step on a disk of its own; in a child only."""
    own_mounts()
    home = lived.settings.home
    home.mkdir(exist_ok=True)
    small_disk(home, 64 << 20)
    shutil.copytree(lived.root / "kept" / name, home, dirs_exist_ok=True)


@pytest.mark.parametrize("step", STEPS)
def test_a_disk_that_may_only_be_read(on_sqlite: Lived, step: str) -> None:
    name = f"second {step}"
    expected, home = ending(on_sqlite, name), on_sqlite.settings.home
    carry_out, code = on_sqlite.carry_out(name), on_sqlite.root / "code"

    def function() -> int:
        try:
            on_a_disk(on_sqlite, name)
        except NotAllowed:
            return NOT_ALLOWED
        protect(home)
        on_sqlite.as_process()
        code.write_text(str(carry_out()))
        protect(home, readable_only=False)
        assert_recovers(on_sqlite, name, expected, "read-only")
        return 0

    ended = in_child(function, NOWHERE)
    if ended.code == NOT_ALLOWED:
        pytest.skip("nobody may mount here")
    assert ended.code == 0, ended.said
    lines = [line for line in ended.said.splitlines() if LINE.fullmatch(line)]
    assert code.read_text() == "2" and len(lines) == 1, ended.said


@pytest.mark.parametrize(
    ("fault", "onwards"),
    [
        pytest.param("500", False, id="500 once"),
        pytest.param("500", True, id="500 from then on", marks=pytest.mark.thorough),
        pytest.param("dropped", False, id="dropped once", marks=pytest.mark.thorough),
        pytest.param("dropped", True, id="dropped from then on"),
        pytest.param("cut", False, id="cut once"),
        pytest.param("cut", True, id="cut from then on", marks=pytest.mark.thorough),
    ],
)
def test_an_mlflow_that_did_it_and_says_otherwise(
    on_services: Lived, fault: Fault, onwards: bool
) -> None:
    """The request is carried out, and the reply is an error, lost, or half of it."""
    name = "first register"
    expected = ending(on_services, name)
    carry_out, home = on_services.carry_out(name), on_services.settings.home
    with proxy(on_services.services.mlflow) as between:
        on_services.put_back(name)
        on_services.mlflow = between.address
        try:
            assert in_child(carry_out, home, before=on_services.as_process).code == 0
            total, failed = between.seen, 0
            for point in evenly(range(1, total + 1), 2 if onwards else 4):
                where = f"{fault} at request {point} of {total}"
                between.behave()
                on_services.put_back(name)
                between.behave(fault, point, onwards)
                ended = in_child(carry_out, home, before=on_services.as_process)
                between.behave()
                assert_told(ended, where)
                failed += ended.code != 0
                assert_recovers(on_services, name, expected, where)
        finally:
            on_services.mlflow = None
    assert total > 20
    assert failed or not onwards


@pytest.mark.parametrize("how", ["away", "stopped"])
def test_an_mlflow_that_does_not_answer(on_services: Lived, how: str) -> None:
    name = "second register"
    expected = ending(on_services, name)
    carry_out, home = on_services.carry_out(name), on_services.settings.home

    def impatient() -> None:
        on_services.as_process()
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "1"

    on_services.put_back(name)
    if how == "away":
        on_services.mlflow = "http://127.0.0.1:9"
        try:
            ended = in_child(carry_out, home, before=impatient)
        finally:
            on_services.mlflow = None
    else:
        with on_services.services.mlflow.stopped():
            ended = in_child(carry_out, home, before=impatient)
    assert_told(ended, how)
    assert ended.code == 75
    assert "REGISTRY-UNAVAILABLE" in ended.said
    assert_recovers(on_services, name, expected, how)


@pytest.mark.parametrize("step", STEPS)
def test_a_database_that_restarts_in_the_middle(on_services: Lived, step: str) -> None:
    """Before each statement that writes and each commit; MLflow's database goes down with it."""
    name = f"second {step}"
    expected = ending(on_services, name)
    carry_out, home = on_services.carry_out(name), on_services.settings.home
    only = ("sql", "http send") if step == "register" else ("sql",)
    on_services.put_back(name)
    acts = in_child(carry_out, home, only=only, before=on_services.as_process).acts
    points = [n for n, act in enumerate(acts, 1) if act.startswith("sql")]
    points += evenly([n for n, act in enumerate(acts, 1) if act.startswith("http")], 4)
    assert points, acts
    for point in evenly(sorted(points), 4):
        where = f"restarted before act {point} of {len(acts)}: {acts[point - 1]}"
        on_services.put_back(name)
        ended = in_child(
            carry_out,
            home,
            at=point,
            deed=asking,
            only=only,
            before=on_services.as_process,
            asked=on_services.services.server.restart,
        )
        assert_told(ended, where)
        assert_recovers(on_services, name, expected, where)
