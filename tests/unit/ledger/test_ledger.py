"""Every method of the ledger, on both databases."""

from __future__ import annotations

import re
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.errors import Superseded
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.monitoring import Rise
from everfit.contracts.messages.monitoring_levels import DriftLevel
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.steps import Trigger
from everfit.contracts.messages.trigger_facts import Evaluated
from everfit.storage.ledger import open_ledger
from everfit.storage.ledger.records import (
    EvaluationRecord,
    MonitorRecord,
    PromotionRecord,
    RunRecord,
    SpanRecord,
    VerdictRecord,
    VersionRecord,
)

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def ledger(url):
    with open_ledger(url) as opened:
        yield opened


def artifact(digest: str) -> Artifact:
    return Artifact(name="model.skops", digest=digest, size=3)


CHAMPION = ChampionRef(
    version=1, run_key=A, model=artifact(B), train=artifact(C), window=(B, C), sequence=1
)


def span(name: str = "2024-01", digest: str | None = A, **more) -> SpanRecord:
    snapshot = {"rows": 3, "name": name} if digest else None
    return SpanRecord(
        name=name, fingerprint="etag-1", reader=B, digest=digest, snapshot=snapshot, **more
    )


def run(key: str = A, **more) -> RunRecord:
    return RunRecord(
        **{
            "run_key": key,
            "spec": B,
            "window": (A, B),
            "holdout": (C,),
            "code": B,
            "environment": C,
            "seed": 2**40,
            "champion": None,
            "trigger": Trigger(),
            **more,
        }
    )


def promotion(sequence: int, key: str = A, **more) -> PromotionRecord:
    return PromotionRecord(
        **{
            "sequence": sequence,
            "version": sequence,
            "run_key": key,
            "kind": "promote",
            "reason": "better",
            **more,
        }
    )


def without_time(record):
    assert TIME.fullmatch(record.at)
    return record.model_copy(update={"at": ""})


def test_a_span_is_recorded_once_and_per_pipeline(ledger):
    first = ledger.record_span("taxi", span())
    again = ledger.record_span("taxi", span(digest=C))
    assert without_time(first) == span()
    assert again == first
    ledger.record_span("taxi", span("2024-02", digest=B))
    assert [known.name for known in ledger.spans("taxi")] == ["2024-01", "2024-02"]
    assert ledger.spans("penguins") == []


def test_the_same_span_with_another_fingerprint_or_reader_is_another_record(ledger):
    for change in ({}, {"fingerprint": "etag-2"}, {"reader": C}):
        ledger.record_span("taxi", span().model_copy(update=change))
    assert len(ledger.spans("taxi")) == 3


def test_a_snapshot_replaces_a_refusal_and_a_refusal_never_a_snapshot(ledger):
    refusal = span(digest=None, code="SOURCE-EMPTY", message="no rows: 'ä \U0001f600'")
    assert without_time(ledger.record_span("taxi", refusal)) == refusal
    assert ledger.record_span("taxi", span(digest=None)).message == refusal.message
    ledger.record_span("taxi", span("2024-02"))
    assert without_time(ledger.record_span("taxi", span())) == span()
    assert ledger.record_span("taxi", refusal).digest == A
    assert [(known.name, known.digest) for known in ledger.spans("taxi")] == [
        ("2024-01", A),
        ("2024-02", A),
    ]


def test_a_text_with_a_nul_can_be_recorded(ledger):
    stored = ledger.record_span("taxi", span(digest=None, message="starts with \0PAR"))
    assert stored.message.startswith("starts with ")


@pytest.fixture(scope="module")
def ledger_in_memory():
    with open_ledger("sqlite://") as opened:
        yield opened


@given(name=st.text(max_size=20), message=st.text(), snapshot=st.dictionaries(st.text(), st.text()))
def test_any_text_comes_back_as_it_was(ledger_in_memory, name, message, snapshot):
    record = span(name, message=message).model_copy(update={"snapshot": snapshot})
    pipeline = secrets.token_hex(8)
    ledger_in_memory.record_span(pipeline, record)
    (stored,) = ledger_in_memory.spans(pipeline)
    assert without_time(stored) == record


def test_quarantines_hold_for_the_rules_they_were_judged_by(ledger):
    assert ledger.quarantined("taxi", C) == {}
    for _ in range(2):
        ledger.record_quarantine("taxi", A, C, ("SCALE", "NEW-CATEGORY"))
    ledger.record_quarantine("taxi", B, A, ("SCALE",))
    assert ledger.quarantined("taxi", C) == {A: ("SCALE", "NEW-CATEGORY")}
    assert ledger.quarantined("taxi", A) == {B: ("SCALE",)}
    assert ledger.quarantined("penguins", C) == {}


def test_every_wake_is_recorded_newest_first(ledger):
    wakes = [
        EvaluationRecord(
            trigger=Trigger(run_type="manual", reason=f"wake {number}"),
            decision="skip",
            because="nothing new",
            run_key=None if number else A,
        )
        for number in range(3)
    ]
    for wake in wakes:
        ledger.record_evaluation("taxi", wake)
    assert [without_time(wake) for wake in ledger.evaluations("taxi")] == wakes[::-1]
    assert len(ledger.evaluations("taxi", limit=2)) == 2
    assert ledger.evaluations("penguins") == []


def test_a_run_is_opened_once_with_the_champion_it_met_first(ledger):
    assert ledger.run(A) is None
    first = ledger.open_run("taxi", run(champion=CHAMPION))
    assert without_time(first) == run(champion=CHAMPION)
    assert ledger.open_run("taxi", run()) == first == ledger.run(A)
    ledger.open_run("taxi", run(B))
    assert [known.run_key for known in ledger.runs("taxi")] == [B, A]
    assert [known.run_key for known in ledger.runs("taxi", limit=1)] == [B]
    assert ledger.runs("penguins") == []


def test_a_run_is_found_by_the_beginning_of_its_key(ledger):
    near = "ab" + "0" * 62
    for key in (A, near, B):
        ledger.open_run("taxi", run(key))
    assert [known.run_key for known in ledger.find_runs("taxi", "a")] == [A, near]
    assert [known.run_key for known in ledger.find_runs("taxi", "ab")] == [near]
    assert [known.run_key for known in ledger.find_runs("taxi")] == [A, near, B]
    for begins in ("%", "_", "A", "a%", "'"):
        assert ledger.find_runs("taxi", begins) == []
    assert ledger.find_runs("penguins", "a") == []


def test_the_newest_verdict_is_of_the_pipeline_asked_for(ledger):
    for pipeline, key in (("taxi", A), ("taxi", B), ("penguins", C)):
        ledger.open_run(pipeline, run(key))
    assert ledger.newest_verdict("taxi") is None
    for key in (B, A, C):
        record = VerdictRecord(run_key=key, verdict="hold", because="too close", decision=B)
        ledger.record_verdict(record)
    assert ledger.newest_verdict("taxi").run_key == A
    assert ledger.newest_verdict("penguins").run_key == C
    assert ledger.newest_verdict("fares") is None
    assert [record.run_key for record in ledger.verdicts("taxi")] == [B, A]
    assert ledger.verdicts("fares") == []


def test_the_first_look_is_remembered(ledger):
    assert ledger.first_evaluation("taxi") is None
    for reason in ("first", "second"):
        record = EvaluationRecord(
            trigger=Trigger(reason=reason), decision="idle", because="so", run_key=None
        )
        ledger.record_evaluation("taxi", record)
    assert ledger.first_evaluation("taxi").trigger.reason == "first"
    assert ledger.first_evaluation("penguins") is None


def test_the_first_verdict_on_a_run_stays(ledger):
    assert ledger.verdict(A) is None
    first = VerdictRecord(run_key=A, verdict="hold", because="too close", decision=B)
    other = VerdictRecord(run_key=A, verdict="promote", because="better", decision=C)
    stored = ledger.record_verdict(first)
    assert without_time(stored) == first
    assert ledger.record_verdict(other) == stored == ledger.verdict(A)


def test_a_registration_is_unfinished_until_its_version_is_recorded(ledger):
    for key in (A, B, A):
        ledger.intend_registration("taxi", key)
    assert ledger.unfinished_registrations("taxi") == [A, B]
    assert ledger.unfinished_registrations("penguins") == []
    record = VersionRecord(run_key=A, version=1, mlflow_run="f00", champion=CHAMPION)
    stored = ledger.record_version("taxi", record)
    assert without_time(stored) == record
    assert ledger.unfinished_registrations("taxi") == [B]
    other = record.model_copy(update={"version": 2})
    assert ledger.record_version("taxi", other) == stored == ledger.version(A)
    assert ledger.version(B) is None
    ledger.record_version("taxi", record.model_copy(update={"run_key": B, "version": 2}))
    assert [known.version for known in ledger.versions("taxi")] == [1, 2]
    assert ledger.versions("penguins") == []


def test_the_journal_counts_from_one_without_gaps(ledger):
    assert ledger.champion("taxi") is None
    with pytest.raises(Superseded, match="its head is 0"):
        ledger.promote("taxi", promotion(2))
    first = ledger.promote("taxi", promotion(1, A))
    second = ledger.promote("taxi", promotion(2, B))
    back = ledger.promote("taxi", promotion(3, A, kind="rollback", reason="complaints"))
    again = ledger.promote("taxi", promotion(4, B, kind="override", reason="no complaints"))
    assert ledger.history("taxi") == [first, second, back, again]
    assert ledger.champion("taxi") == again
    assert without_time(back).kind == "rollback"
    assert ledger.champion("penguins") is None


def test_promoting_twice_is_promoting_once(ledger):
    first = ledger.promote("taxi", promotion(1, A))
    ledger.promote("taxi", promotion(2, B))
    assert ledger.promote("taxi", promotion(1, A, reason="told again")) == first
    assert len(ledger.history("taxi")) == 2


def test_a_promotion_decided_on_an_old_head_is_superseded(ledger):
    ledger.promote("taxi", promotion(1, A))
    with pytest.raises(Superseded, match=r"LEDGER-SUPERSEDED taxi .*entry 0.*run aaaaaaaaaaaa"):
        ledger.promote("taxi", promotion(1, B))
    assert [entry.run_key for entry in ledger.history("taxi")] == [A]


def test_records_outlive_the_process_that_made_them(url):
    with open_ledger(url) as ledger:
        stored = ledger.open_run("taxi", run())
    with open_ledger(url) as ledger:
        assert ledger.run(A) == stored


def evaluation(decision: str, stage: str = "wake", **more) -> EvaluationRecord:
    return EvaluationRecord(
        trigger=Trigger(), decision=decision, because="so", run_key=None, stage=stage, **more
    )


def test_what_conditions_measured_is_kept_with_a_wake(ledger):
    looked = Evaluated(
        condition="new_data: min_rows 5000",
        kind="new_data",
        looked_at="3 new spans",
        measured="4,200 rows",
        fired=False,
        because="fewer than 5,000 rows",
    )
    ledger.record_evaluation("taxi", evaluation("idle", conditions=(looked,)))
    (stored,) = ledger.evaluations("taxi")
    assert stored.conditions == (looked,)


def test_decisions_are_the_wakes_that_settled_or_trained_newest_first(ledger):
    for decision, stage in [
        ("train", "wake"),
        ("idle", "wake"),
        ("train", "sweep"),
        ("wait", "wake"),
        ("skip", "end"),
    ]:
        ledger.record_evaluation("taxi", evaluation(decision, stage))
    found = [(record.decision, record.stage) for record in ledger.decisions("taxi")]
    assert found == [("skip", "end"), ("train", "wake")]
    assert len(ledger.decisions("taxi", limit=1)) == 1
    assert ledger.decisions("penguins") == []


def monitoring(champion: str = A, span: str = B, asked: str = C, **more) -> MonitorRecord:
    rise = Rise(
        metric="mae",
        reference=2.0,
        current=2.5,
        worse=0.5,
        low=0.1,
        rows=900,
        labelled=1.0,
        method="bootstrap",
    )
    return MonitorRecord(
        **{
            "champion": champion,
            "version": 1,
            "span": span,
            "name": "2024-03",
            "rows": 1000,
            "asked": asked,
            "state": "measured",
            "inputs": 0.25,
            "columns": 0.5,
            "strongest": ("fare", "miles"),
            "rises": (rise,),
            "because": "fare has drifted",
            "document": A,
            **more,
        }
    )


def test_windows_of_all_pipelines_are_known_with_their_levels(ledger):
    tested = DriftLevel(level=0.02, rate=0.05, pipelines=3, counts=True)
    ledger.record_monitoring("taxi", monitoring())
    ledger.record_monitoring("bikes", monitoring(tested=tested))
    ledger.record_monitoring("trips", monitoring())
    newest = ledger.newest_windows()
    assert sorted(newest) == ["bikes", "taxi", "trips"]
    assert newest["taxi"][1] < newest["bikes"][1] < newest["trips"][1]
    assert ledger.windows_since("taxi", newest["taxi"][1]) == [("bikes", B, tested)]
    assert ledger.windows_since("taxi", newest["bikes"][1]) == []
    assert ledger.windows_since("bikes", 0) == []
    assert ledger.monitorings("bikes")[0].tested == tested


def test_a_span_is_held_against_a_champion_once(ledger):
    first = ledger.record_monitoring("taxi", monitoring())
    assert without_time(first) == monitoring()
    assert ledger.record_monitoring("taxi", monitoring(because="otherwise")) == first
    ledger.record_monitoring("taxi", monitoring(champion=C))
    ledger.record_monitoring("taxi", monitoring(asked=A))
    assert [m.asked for m in ledger.monitorings("taxi", champion=A)] == [C, A]
    assert len(ledger.monitorings("taxi")) == 3
    assert ledger.monitorings("penguins") == []


def test_a_deployment_is_named_once(url):
    with open_ledger(url) as one, open_ledger(url) as other:
        assert one.deployment() is None
        name = one.claim_deployment()
        assert other.claim_deployment() == one.claim_deployment() == name == other.deployment()


def test_the_first_result_of_a_key_counts_until_its_bytes_are_lost(url):
    with open_ledger(url) as ledger:
        assert ledger.result("gate", A) is None
        assert ledger.record_result("gate", A, B).digest == B
        assert ledger.record_result("gate", A, C).digest == B
        assert ledger.record_result("gate", A, C, after=1).digest == C
        assert (ledger.result("gate", A).digest, ledger.result("train", A)) == (C, None)
