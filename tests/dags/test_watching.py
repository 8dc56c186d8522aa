"""Watching sources in a triggerer: Airflow's own shared streams, and the real lister."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk import Asset
from airflow.serialization.encoders import encode_trigger
from airflow.triggers.base import BaseEventTrigger
from airflow.triggers.shared_stream import SharedStreamManager

from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.source import read_source
from everfit_airflow.watching import lister as lister_module
from everfit_airflow.watching import remember_consumed, source_watchers, stream
from everfit_airflow.watching.lines import Program
from everfit_airflow.watching.lister import (
    Lister,
    ListerGone,
    components_lister,
    service_lister,
    shared_lister,
)
from everfit_airflow.watching.stream import Seen, SourceStream
from everfit_airflow.watching.trigger import SourceChanged, watched_part
from everfit_airflow.watching.watermark import CONSUMED

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


def pipeline(name="fares", **source):
    return PipelineSpec(
        name=name,
        task="regression",
        target="fare",
        source={"uri": "{data}/*.csv", **source},
        gate={"superior_by": "1%", "baseline": "median"},
    )


def real_lister():
    """The lister, run by this Python: for a folder it needs no more than the contracts do."""
    own = {"PYTHONPATH": str(REPOSITORY / "pipeline_components"), "EVERFIT_ROOT": str(REPOSITORY)}
    return Program((sys.executable, "-m", "everfit.data.listing"), {**os.environ, **own})


def scripted(tmp_path, body):
    """A lister of one's own."""
    script = tmp_path / "lister.py"
    script.write_text("import json, os, sys, time\n" + body)
    return lambda: Program((sys.executable, str(script)), dict(os.environ))


class Store:
    """An asset's state store, as a trigger sees it."""

    def __init__(self, consumed=None):
        self.consumed = consumed

    async def aget(self, key):
        assert key == CONSUMED
        if isinstance(self.consumed, Exception):
            raise self.consumed
        return self.consumed


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """A folder to watch, and the lister to watch it with."""
    monkeypatch.setenv("EVERFIT_POLL", "0.1")
    monkeypatch.setattr(lister_module, "components_lister", real_lister)
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def arrive(folder, name, text="x\n1\n"):
    (folder / f".{name}").write_text(text)
    (folder / f".{name}").rename(folder / name)


def run(coroutine):
    async def limited():
        try:
            return await asyncio.wait_for(coroutine, PATIENCE)
        finally:
            if asyncio.get_running_loop() in lister_module._shared:
                await shared_lister().close()

    return asyncio.run(limited())


async def running():
    """The lister's process, once it runs."""
    while shared_lister().pid is None:
        await asyncio.sleep(0.02)
    return shared_lister().pid


# What Airflow keeps.


def test_pipelines_with_one_source_share_its_looks_and_ring_each_for_itself():
    one, other, third = (
        source_watchers(spec)[0].trigger
        for spec in (pipeline("one", columns=["a"]), pipeline("other"), pipeline("third", settle=5))
    )
    assert one.shared_stream_key() == other.shared_stream_key() != third.shared_stream_key()
    assert BaseEventTrigger.hash(*one.serialize()) != BaseEventTrigger.hash(*other.serialize())


def test_a_trigger_is_the_same_after_airflow_has_kept_it():
    (watcher,) = source_watchers(pipeline(complete={"marker": "_SUCCESS"}))
    kept = json.loads(json.dumps(encode_trigger(watcher.trigger)))
    module, _, name = kept["classpath"].rpartition(".")
    again = getattr(sys.modules[module], name)(**kept["kwargs"])
    assert again.serialize() == watcher.trigger.serialize()
    assert json.loads(again.source) == {
        "uri": "{data}/*.csv",
        "complete": {"marker": "_SUCCESS"},
    }


def test_airflow_keeps_no_secret(monkeypatch):
    monkeypatch.setenv("EVERFIT_CONN_TRIPS", "postgresql://u:correct-horse@h/db")
    (watcher,) = source_watchers(
        pipeline(uri="sql", connection="trips", query="SELECT 1", watermark="t")
    )
    assert "correct-horse" not in repr(watcher.trigger)
    assert source_watchers(pipeline(uri="https://host/a.csv?token=1")) == []
    assert len(source_watchers(pipeline(uri="https://host/a.csv"))) == 1


def test_the_lister_is_told_of_everfit_and_nothing_of_airflow(monkeypatch):
    monkeypatch.setenv("EVERFIT_PYTHON", sys.executable)
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "correct-horse")
    way = components_lister()
    command, environment = way.command, way.environment
    assert "correct-horse" not in repr(way)
    assert command[:3] == (sys.executable, "-m", "everfit.data.listing")
    assert command[3:] == ("--parent", str(os.getpid()))
    assert environment["EVERFIT_ROOT"] == str(REPOSITORY)
    assert not [name for name in environment if name.startswith(("AIRFLOW", "PYTHON"))]


def test_a_missing_python_is_a_lister_gone_and_not_the_end_of_the_triggerer(monkeypatch):
    monkeypatch.setenv("EVERFIT_PYTHON", "/nowhere/python")
    with pytest.raises(ListerGone, match="make setup"):
        components_lister()


# Ringing.


async def next_event(manager, trigger, number):
    shared = manager.subscribe(trigger_id=number, trigger=trigger, key=trigger.shared_stream_key())
    async for event in trigger.filter_shared_stream(shared):
        yield event.payload


def changed(folder, consumed=None, name="fares", **source):
    trigger = SourceChanged(name, watched_part(read_source(uri=str(folder), **source)))
    trigger.asset_state_store = Store(consumed)
    return trigger


def test_a_file_that_arrives_rings_once(watched):
    async def test():
        manager = SharedStreamManager()
        events = next_event(manager, changed(watched), 1)
        waiting = asyncio.create_task(anext(events))
        pid = await running()
        await asyncio.sleep(0.3)
        assert not waiting.done()  # an empty folder is no news
        arrive(watched, "a.csv")
        first = await waiting
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0.5)
        assert not waiting.done()  # several looks later
        arrive(watched, "b.csv")
        second = await waiting
        assert (first["spans"], second["spans"]) == (1, 2) and first["state"] != second["state"]
        assert shared_lister().pid == pid
        await manager.stop_all()

    run(test())


def test_what_was_dealt_with_before_a_restart_does_not_ring_again(watched):
    async def test():
        arrive(watched, "a.csv")
        manager = SharedStreamManager()
        seen = await anext(next_event(manager, changed(watched), 1))
        await manager.stop_all()
        manager = SharedStreamManager()  # as a new triggerer has
        events = next_event(manager, changed(watched, consumed=seen["state"]), 2)
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        arrive(watched, "b.csv")
        assert (await waiting)["spans"] == 2
        await manager.stop_all()

    run(test())


def test_two_pipelines_share_one_look_and_ring_by_their_own_past(watched, monkeypatch):
    looks = []
    look = SourceStream._look

    async def counted(self):
        looks.append(seen := await look(self))
        return seen

    monkeypatch.setattr(SourceStream, "_look", counted)

    async def test():
        arrive(watched, "a.csv")
        manager = SharedStreamManager()
        new, gone = changed(watched, name="new"), changed(watched, name="lost")
        gone.asset_state_store = Store(RuntimeError("no API server"))  # rings rather than not
        both = [next_event(manager, new, 1), next_event(manager, gone, 2)]
        first = await asyncio.gather(*(anext(events) for events in both))
        assert len({json.dumps(payload) for payload in first}) == 1
        states = [seen.state for seen in looks]
        assert len(states) <= 2 and manager._groups.keys() == {new.shared_stream_key()}
        await manager.stop_all()

    run(test())


def test_alone_it_rings_as_well(watched):
    async def test():
        arrive(watched, "a.csv")
        event = await anext(changed(watched).run())
        assert event.payload["spans"] == 1

    run(test())


def test_a_killed_lister_is_started_again_and_nothing_is_lost(watched):
    async def test():
        manager = SharedStreamManager()
        events = next_event(manager, changed(watched), 1)
        arrive(watched, "a.csv")
        await anext(events)
        killed = await running()
        os.kill(killed, 9)
        arrive(watched, "b.csv")
        assert (await anext(events))["spans"] == 2
        assert await running() != killed
        await manager.stop_all()

    run(test())


def test_a_source_out_of_reach_is_told_once_and_then_that_it_is_back(watched, caplog, monkeypatch):
    async def test():
        monkeypatch.setattr(stream, "SLOWEST", 0.2)
        there = watched / "later"
        manager = SharedStreamManager()
        waiting = asyncio.create_task(anext(next_event(manager, changed(there), 1)))
        while "SOURCE-MISSING" not in caplog.text:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.8)
        assert caplog.text.count("SOURCE-MISSING") == 1 and not waiting.done()
        there.mkdir()
        arrive(there, "a.csv")
        assert (await waiting)["spans"] == 1
        assert caplog.text.count("works again") == 1
        await manager.stop_all()

    with caplog.at_level(logging.WARNING):
        run(test())


def test_a_table_beside_the_source_is_looked_at_with_it(watched, tmp_path):
    table = tmp_path / "table"
    table.mkdir()
    (table / "1.csv").write_text("x\n1\n")
    (watched / "1.csv").write_text("x\n1\n")
    source, beside = read_source(uri=str(watched)), read_source(uri=str(table))
    looks = SourceStream(watched_part(source, [beside]))

    async def test():
        before = await looks._look()
        (table / "2.csv").write_text("x\n2\n")
        after = await looks._look()
        assert (before.spans, after.spans) == (1, 1)
        assert before.state != after.state

    run(test())


# How often.


def test_looks_are_paced_by_what_they_cost_and_rarer_where_they_fail(monkeypatch):
    monkeypatch.setenv("EVERFIT_POLL", "30")
    plain = SourceStream('{"uri":"s3://b"}')
    assert plain._pause(Seen("s", 1, 0.1), rung=False) == 30
    assert plain._pause(Seen("s", 1, 60.0), rung=False) == 1200
    pauses = []
    for failures in range(1, 9):
        plain._failures = failures
        pauses.append(plain._pause(None, rung=False))
    assert pauses == [60, 120, 240, 480, 600, 600, 600, 600]
    queue = SourceStream('{"uri":"s3://b","queue":"https://sqs/1/q","settle":60}')
    assert queue._pause(Seen("s", 1, 0.1), rung=False) == 300
    assert queue._pause(Seen("s", 1, 0.1), rung=True) == 90  # once it has rested


@pytest.mark.parametrize("text", ["", "soon", "0", "-1", "nan", "inf", "1e9"])
def test_a_setting_that_is_no_pause_is_the_usual_one(text, monkeypatch):
    monkeypatch.setenv("EVERFIT_POLL", text)
    assert stream.poll_seconds() == 30


# Queues.


class Queue:
    """Answers in place of the lister: what SQS does is tested with the lister itself."""

    def __init__(self, *received):
        self.received, self.deleted, self.state = list(received), [], "s0"

    async def ask(self, request):
        if request["do"] == "look":
            return {"state": self.state, "spans": 1, "seconds": 0.0}
        if request["do"] == "delete":
            self.deleted += request["receipts"]
            return {"deleted": len(request["receipts"])}
        while not self.received:
            await asyncio.sleep(0.02)
        self.state += "+"
        return self.received.pop(0)


def test_a_message_is_deleted_once_airflow_has_kept_its_ring(monkeypatch):
    monkeypatch.setenv("EVERFIT_POLL", "30")
    queue = Queue({"receipts": ["r1", "r2"]})
    monkeypatch.setattr(stream, "shared_lister", lambda: queue)

    async def test():
        manager = SharedStreamManager()
        trigger = SourceChanged("fares", '{"uri":"s3://b","queue":"https://sqs/1/q"}')
        trigger.asset_state_store = Store()
        key = trigger.shared_stream_key()
        shared = manager.subscribe(trigger_id=1, trigger=trigger, key=key)
        events = trigger.filter_shared_stream(shared)
        first = await anext(events)
        # As the triggerer does: bind each event, and confirm it once the database has it.
        confirm = [manager.bind_pending_event(trigger_id=1, key=key)]
        second = await anext(events)
        confirm.append(manager.bind_pending_event(trigger_id=1, key=key))
        assert (first.payload["state"], second.payload["state"]) == ("s0", "s0+")
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0.2)
        assert queue.deleted == []
        manager.confirm_persisted(confirm)
        while queue.deleted != ["r1", "r2"]:
            await asyncio.sleep(0.02)
        waiting.cancel()
        await manager.stop_all()

    run(test())


def test_other_peoples_messages_do_not_make_it_hurry(monkeypatch):
    monkeypatch.setenv("EVERFIT_POLL", "0.2")
    queue = Queue(*[{"receipts": [], "others": 3, "problem": "message 7 is not about s3://b"}] * 99)
    monkeypatch.setattr(stream, "shared_lister", lambda: queue)

    async def test():
        source = SourceStream('{"uri":"s3://b","queue":"https://sqs/1/q"}')
        await source._rest(1.0)
        assert len(queue.received) >= 99 - 6

    run(test())


# The process.


def test_answers_come_back_to_who_asked_in_any_order(tmp_path):
    body = (
        "lines = [json.loads(sys.stdin.readline()) for _ in range(50)]\n"
        "print('noise'); print('{}'); print('[1]'); print(json.dumps({'id': 999}))\n"
        "for line in reversed(lines):\n"
        "    print(json.dumps({'id': line['id'], 'echo': line['n']}), flush=True)\n"
        "sys.stdin.read()\n"
    )

    async def test():
        lister = Lister(scripted(tmp_path, body))
        replies = await asyncio.gather(*(lister.ask({"n": n}) for n in range(50)))
        assert [reply["echo"] for reply in replies] == list(range(50))
        await lister.close()

    run(test())


def test_one_that_dies_tells_who_waits_and_is_not_started_in_a_storm(tmp_path, caplog):
    starts = tmp_path / "starts"
    body = (
        f"open({str(starts)!r}, 'a').write('x')\n"
        "sys.stdin.readline(); print('no such library', file=sys.stderr); sys.exit(3)\n"
    )

    async def test():
        lister = Lister(scripted(tmp_path, body))
        for _ in range(20):
            with pytest.raises(ListerGone):
                await lister.ask({})
        await lister.close()

    with caplog.at_level(logging.WARNING):
        run(test())
    assert 2 <= len(starts.read_text()) <= 4
    # Its code may be lost where another part of the process has reaped it; its last word is not.
    assert re.search(r"ended with code \d+: no such library", caplog.text)


def test_one_that_hangs_is_ended_and_started_again(tmp_path):
    mark = tmp_path / "first"
    body = (
        f"first = not os.path.exists({str(mark)!r}); open({str(mark)!r}, 'a')\n"
        "for line in sys.stdin:\n"
        "    if first: time.sleep(600)\n"
        "    print(json.dumps({'id': json.loads(line)['id'], 'state': 's'}), flush=True)\n"
    )

    async def test():
        lister = Lister(scripted(tmp_path, body), patience=2)
        with pytest.raises(ListerGone, match="within 2 s"):
            await lister.ask({})
        while True:  # until the dead one is noticed
            try:
                assert (await lister.ask({}))["state"] == "s"
                break
            except ListerGone:
                await asyncio.sleep(0.05)
        await lister.close()

    run(test())


def test_a_program_that_is_not_there_is_said(tmp_path):
    async def test():
        with pytest.raises(ListerGone, match="must start"):
            await Lister(lambda: Program(("/nowhere/python",), {})).ask({})

    run(test())


# The service.


class Listening:
    """A lister as a service, on a port it keeps."""

    def __init__(self, token=None):
        self._told = {"EVERFIT_LISTER_TOKEN": str(token)} if token else {}
        self.address = "127.0.0.1:0"
        self.start()

    def start(self):
        own = {
            "PYTHONPATH": str(REPOSITORY / "pipeline_components"),
            "EVERFIT_ROOT": str(REPOSITORY),
            **self._told,
        }
        command = (sys.executable, "-m", "everfit.data.listing", "--listen", self.address)
        self.process = subprocess.Popen(
            command, env={**os.environ, **own}, stderr=subprocess.PIPE, text=True
        )
        line = self.process.stderr.readline()
        assert "listens on" in line, line
        self.address = line.split()[-1]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


@pytest.fixture
def service(watched, monkeypatch):
    """A service, and a triggerer that is told of it."""
    listening = Listening()
    monkeypatch.setenv("EVERFIT_LISTER", listening.address)
    monkeypatch.setattr(lister_module, "components_lister", lambda: pytest.fail("a process"))
    yield listening
    listening.kill()


def test_a_service_is_asked_instead_of_a_process(watched, service):
    async def test():
        manager = SharedStreamManager()
        events = next_event(manager, changed(watched), 1)
        arrive(watched, "a.csv")
        assert (await anext(events))["spans"] == 1
        assert shared_lister().pid is None
        replies = await asyncio.gather(
            *(
                shared_lister().ask({"do": "look", "source": {"uri": str(watched)}})
                for _ in range(200)
            )
        )
        assert {reply["spans"] for reply in replies} == {1}
        await manager.stop_all()

    run(test())


def test_a_service_that_comes_back_is_connected_to_again_and_nothing_is_lost(
    watched, service, caplog
):
    async def test():
        manager = SharedStreamManager()
        events = next_event(manager, changed(watched), 1)
        arrive(watched, "a.csv")
        await anext(events)
        service.kill()
        arrive(watched, "b.csv")
        for _ in range(20):
            with pytest.raises(ListerGone):
                await shared_lister().ask({"do": "ping"})
        with pytest.raises(ListerGone, match="it died just now, and is started in"):
            await shared_lister().ask({"do": "ping"})
        service.start()
        assert (await anext(events))["spans"] == 2
        await manager.stop_all()

    with caplog.at_level(logging.WARNING):
        run(test())
    assert "The lister ended with its connection" in caplog.text


def test_who_does_not_know_the_token_is_told_nothing(tmp_path, monkeypatch):
    (tmp_path / "token").write_text("correct-horse\n")
    (tmp_path / "other").write_text("battery-staple\n")
    listening = Listening(tmp_path / "token")
    look = {"do": "look", "source": {"uri": str(tmp_path)}}

    async def ask(token):
        if token:
            monkeypatch.setenv("EVERFIT_LISTER_TOKEN", str(tmp_path / token))
        lister = Lister(lambda: service_lister(listening.address))
        try:
            return await lister.ask(look)
        finally:
            await lister.close()

    async def test():
        assert (await ask(None))["code"] == "LISTER-TOKEN"
        with pytest.raises(ListerGone, match="LISTER-TOKEN"):
            await ask("other")
        assert (await ask("token"))["spans"] == 0

    try:
        run(test())
    finally:
        listening.kill()


@pytest.mark.parametrize("address", ["lister", ":1", "lister:", "lister:x", "lister:0", "l:99999"])
def test_an_address_that_is_none_is_said(address):
    with pytest.raises(ListerGone, match="must be host:port"):
        service_lister(address)


def test_a_token_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("EVERFIT_LISTER_TOKEN", str(tmp_path / "absent"))
    with pytest.raises(ListerGone, match="EVERFIT_LISTER_TOKEN"):
        service_lister("lister:8790")
    (tmp_path / "token").write_text("correct-horse")
    monkeypatch.setenv("EVERFIT_LISTER_TOKEN", str(tmp_path / "token"))
    assert "correct-horse" not in repr(service_lister("lister:8790"))


# What was dealt with.


def event(state, minutes, payload=True):
    extra = {"from_trigger": True, "payload": {"state": state, "spans": 1}} if payload else {}
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    return SimpleNamespace(extra=extra, timestamp=at)


def test_the_last_task_keeps_the_newest_state_that_rang():
    kept = {}
    store = SimpleNamespace(set=kept.__setitem__)
    events = {Asset("fares.source"): [event("b", 2), event("a", 1), event("c", 3, payload=False)]}
    remember_consumed({"triggering_asset_events": events, "asset_state_store": store})
    assert kept == {CONSUMED: "b"}
    remember_consumed({"triggering_asset_events": {}, "asset_state_store": store})
    assert kept == {CONSUMED: "b"}


def test_a_store_that_fails_fails_no_task(caplog):
    def fail(key, value):
        raise RuntimeError("no API server")

    events = {Asset("fares.source"): [event("a", 1)]}
    store = SimpleNamespace(set=fail)
    remember_consumed({"triggering_asset_events": events, "asset_state_store": store})
    assert "may ring again" in caplog.text
