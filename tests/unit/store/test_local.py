"""A folder as a store: kills, full disks, forbidden folders, missing links."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest

from everfit.contracts.errors import Unavailable, UserError
from everfit.storage.store.local import LEFTOVER_SECONDS, STAGING, LocalStore

FORK = get_context("fork")
KEY = "results/train/key.json"
DATA = b"0123456789abcdef" * 8192


def check_absent_or_whole(root: Path) -> bool:
    """What a reader and the next writer find after a kill; whether the key was there."""
    store = LocalStore(root)
    found = store.read(KEY)
    assert found in (None, DATA)
    assert list(store.keys("")) == ([KEY] if found else [])
    assert store.create(KEY, DATA) is (found is None)
    assert store.read(KEY) == DATA
    return found is not None


def killed(act: Callable[[], object]) -> bool:
    """Run ``act`` in a child; whether it was killed before its end."""
    child = FORK.Process(target=act)
    child.start()
    child.join(60)
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0


@pytest.mark.parametrize(("links", "stride"), [(True, 1), (False, 3)])
def test_a_kill_at_any_line_leaves_the_key_absent_or_whole(tmp_path, links, stride):
    source = sys.modules[LocalStore.__module__].__file__
    state: set[bool] = set()
    point = 1 - stride
    alive = True
    while alive:
        point += stride
        root = tmp_path / str(point)

        def doomed(root: Path = root, point: int = point) -> None:
            seen = 0

            def trace(frame, event, argument):
                nonlocal seen
                if frame.f_code.co_filename != source:
                    return None
                if event == "line":
                    seen += 1
                    if seen == point:
                        os.kill(os.getpid(), signal.SIGKILL)
                return trace

            if not links:
                os.link = no_links
            sys.settrace(trace)
            LocalStore(root).create(KEY, DATA)

        alive = killed(doomed)
        state.add(check_absent_or_whole(root))
        shutil.rmtree(root)
    assert point > 40
    assert state == {True, False}


def create_under_strace(root: Path, *options: str) -> int:
    """Create the key in a child that strace watches from there on; the child's exit code."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace here: apt-get install strace")
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(ready, 1)  # until strace is attached
        status = 1
        try:
            LocalStore(root).create(KEY, DATA)
            status = 0
        finally:
            os._exit(status)
    with subprocess.Popen(
        [strace, "-p", str(child), "-e", "trace=%file,%desc", *options], stderr=subprocess.PIPE
    ) as tracer:
        said = tracer.stderr.readline()
        attached = b"attached" in said
        if attached:
            os.write(go, b".")
        else:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        tracer.stderr.read()
    os.close(ready)
    os.close(go)
    if not attached:
        pytest.skip(f"strace may not attach here: {said!r}")
    return os.waitstatus_to_exitcode(status)


def test_a_kill_at_any_system_call_leaves_the_key_absent_or_whole(tmp_path):
    trace = tmp_path / "trace"
    assert create_under_strace(tmp_path / "whole", "-o", str(trace)) == 0
    calls = Counter(re.findall(r"^(\w+)\(", trace.read_text(), re.MULTILINE))
    assert {"mkdir", "openat", "write", "fsync", "link", "unlink"} <= {
        name.removesuffix("at") if name != "openat" else name for name in calls
    }
    state = set()
    for name, count in calls.items():
        for nth in range(1, count + 1):
            root = tmp_path / f"{name}-{nth}"
            kill = f"inject={name}:signal=SIGKILL:when={nth}"
            status = create_under_strace(root, "-o", os.devnull, "-e", kill)
            # The read that strace found the child in has begun before it could be counted.
            assert status == -signal.SIGKILL or (name == "read" and status == 0)
            state.add(check_absent_or_whole(root))
    assert state == {True, False}


def no_links(*_: object) -> None:
    raise OSError(errno.EPERM, "no hard links on this file system")


def test_without_hard_links_one_of_sixteen_processes_wins(tmp_path, monkeypatch):
    rename = Path.rename

    def late_rename(staged: Path, target: Path) -> Path:
        time.sleep(0.02)  # so that all would have found the place empty, were there no lock
        return rename(staged, target)

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(Path, "rename", late_rename)
    start = FORK.Barrier(16)

    def racer(number: int) -> None:
        store = LocalStore(tmp_path / "store")
        start.wait(60)
        won = store.create(KEY, f"{number}".encode())
        (tmp_path / f"won-{number}").write_text(str(won))

    racers = [FORK.Process(target=racer, args=(number,)) for number in range(16)]
    for process in racers:
        process.start()
    for process in racers:
        process.join(60)
    won = [number for number in range(16) if (tmp_path / f"won-{number}").read_text() == "True"]
    assert len(won) == 1
    store = LocalStore(tmp_path / "store")
    assert store.read(KEY) == f"{won[0]}".encode()
    assert list(store.keys("")) == [KEY]


def test_leftovers_of_killed_writers_are_swept_and_those_of_living_ones_are_not(tmp_path):
    staging = tmp_path / STAGING
    staging.mkdir()
    old, young = staging / "old", staging / "young"
    for path, age in ((old, LEFTOVER_SECONDS + 60), (young, LEFTOVER_SECONDS - 60)):
        path.write_bytes(b"half of")
        then = time.time() - age
        os.utime(path, (then, then))
    store = LocalStore(tmp_path)
    assert list(store.keys("")) == []
    store.create(KEY, DATA)
    assert sorted(path.name for path in staging.iterdir()) == ["young"]
    assert list(store.keys("")) == [KEY]


def test_a_folder_that_cannot_be_listed_is_not_taken_for_empty(tmp_path, monkeypatch):
    LocalStore(tmp_path).create(KEY, DATA)
    scandir = os.scandir

    def forbid(folder):
        if Path(folder).name == "train":  # root, who may run this, ignores mode bits
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", forbid)
    with pytest.raises(UserError, match=r"STORE-ACCESS .*Permission denied"):
        list(LocalStore(tmp_path).keys(""))


def test_every_folder_up_to_the_root_is_synced_after_the_link(tmp_path, monkeypatch):
    events: list[str] = []
    fsync, link, mkdir = os.fsync, os.link, Path.mkdir

    def name(handle: int) -> str:
        return os.path.relpath(Path(f"/proc/self/fd/{handle}").readlink(), tmp_path)

    monkeypatch.setattr(os, "fsync", lambda h: (events.append(f"sync {name(h)}"), fsync(h))[1])
    monkeypatch.setattr(os, "link", lambda a, b: (events.append("link"), link(a, b))[1])
    monkeypatch.setattr(
        Path,
        "mkdir",
        lambda path, **more: (
            events.append(f"mkdir {path.relative_to(tmp_path)}"),
            mkdir(path, **more),
        )[1],
    )
    LocalStore(tmp_path / "deep" / "store").create("a/b", b"x")
    assert events[events.index("link") - 1].startswith("sync deep/store/.staging/")
    assert events[events.index("link") + 1 :] == ["sync deep/store/a", "sync deep/store"]
    for made, parent in (("deep", "."), ("deep/store", "deep"), ("deep/store/a", "deep/store")):
        assert events[events.index(f"mkdir {made}") + 1] == f"sync {parent}"


def test_artifacts_are_readable_as_the_umask_says_and_writable_by_nobody(tmp_path):
    before = os.umask(0o027)
    try:
        LocalStore(tmp_path).create(KEY, DATA)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o440


def test_a_source_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(Unavailable, match="STORE "):
        LocalStore(tmp_path / "store").create(KEY, tmp_path / "absent")
    assert list((tmp_path / "store" / STAGING).iterdir()) == []
    assert not (tmp_path / "store" / KEY).exists()


def test_a_store_that_is_a_file(tmp_path):
    (tmp_path / "store").write_text("")
    with pytest.raises(UserError, match=r"STORE-ACCESS .*File exists"):
        LocalStore(tmp_path / "store").create(KEY, DATA)


def test_a_reader_never_sees_a_part(tmp_path):
    """A thread that reads all the time finds nothing or everything."""
    store, seen, done = LocalStore(tmp_path), set(), threading.Event()

    def read() -> None:
        while not done.is_set():
            found = store.read(KEY)
            seen.add(None if found is None else len(found))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        store.create(KEY, DATA * 40)
    finally:
        done.set()
        reader.join()
    assert seen <= {None, len(DATA) * 40}


TROUBLE = """
import json, os, subprocess, sys
from pathlib import Path
from everfit.contracts.errors import EverfitError
from everfit.storage.store.local import STAGING, LocalStore

root = Path(sys.argv[1])
store = LocalStore(root)

def attempt(key, size):
    try:
        return store.create(key, b"x" * size)
    except EverfitError as error:
        return [type(error).__name__, error.line]

told = {"small": attempt("blobs/small", 1000), "large": attempt("blobs/large", 1 << 20)}
told["keys"] = list(store.keys(""))
told["staged"] = len(os.listdir(root / STAGING))
told["after"] = attempt("blobs/after", 1000)
subprocess.run(["mount", "-o", "remount,ro", root], check=True)
told["read_only"] = attempt("blobs/more", 10)
told["known"] = attempt("blobs/small", 10)
told["read"] = len(store.read("blobs/small"))
print(json.dumps(told))
"""


def test_a_full_and_a_read_only_disk_are_said_clearly(tmp_path):
    root = tmp_path / "disk"
    root.mkdir()
    mount = f"mount -t tmpfs -o size=256k none {root}"
    try:
        subprocess.run(["unshare", "-m", "sh", "-c", mount], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount a small disk here (needs root and mount namespaces): {error}")
    command = f'{mount} && exec "$0" -c "$1" {root}'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", command, sys.executable, TROUBLE],
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout)
    assert told["small"] is True
    kind, line = told["large"]
    assert kind == "Unavailable"
    assert line.startswith(f"STORE-FULL file://{root}: the disk must have room; No space left")
    assert told["keys"] == ["blobs/small"]
    assert told["staged"] == 0
    assert told["after"] is True
    kind, line = told["read_only"]
    assert kind == "UserError"
    assert line.startswith(f"STORE-ACCESS file://{root}") and "Read-only file system" in line
    assert told["known"] is False
    assert told["read"] == 1000
