"""Whether the champion has decayed: by the ledger's records, and by the rule of the trigger."""

from __future__ import annotations

import pytest

from everfit.champion.decayed import champion_decay, newer_spans
from everfit.contracts.base import digest_of
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.monitoring import AttainableLoss, Rise
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.spans import Snapshot, Span
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.storage.ledger import open_ledger
from everfit.storage.ledger.records import MonitorRecord, SpanRecord

ANY = Artifact(name="a", digest=digest_of("a"), size=1)
CHAMPION = ChampionRef(
    version=3,
    run_key=digest_of("run"),
    sequence=3,
    window=(digest_of(1), digest_of(2)),
    holdout=(digest_of(3),),
    model=ANY,
    train=ANY,
    features=(),
)


def spec(**triggers):
    return PipelineSpec.model_validate(
        {
            "name": "trips",
            "task": "regression",
            "target": "fare",
            "source": {"uri": "{data}/m/*.csv"},
            "triggers": triggers,
            "gate": {
                "metric": "mae",
                "superior_by": "1%",
                "baseline": "median",
                "when_decayed": {"not_worse_than": "0%"},
            },
        }
    )


@pytest.fixture
def ledger(tmp_path):
    with open_ledger(f"sqlite:///{tmp_path}/ledger.db") as made:
        for month in (1, 2, 3):
            arrive(made, month)
        yield made


def arrive(ledger, month):
    span = Span(
        name=f"{month}.csv",
        digest=digest_of(month),
        rows=100,
        size=1,
        period_start=f"2024-{month:02}-01",
        period_end=f"2024-{month + 1:02}-01",
    )
    snapshot = Snapshot(span=span, fingerprint="f", provenance={}).model_dump(mode="json")
    ledger.record_span(
        "trips",
        SpanRecord(
            name=span.name,
            fingerprint="f",
            reader=digest_of("reader"),
            digest=span.digest,
            snapshot=snapshot,
        ),
    )


def measure(ledger, *worse, first=4, estimated=False, low=0.1):
    """Months after the champion's on which its loss of 10 is worse than attainable by so much."""
    for month, value in enumerate(worse, first):
        arrive(ledger, month)
        rise = Rise(
            metric="mae",
            reference=10,
            current=10,
            worse=0,
            low=-1,
            rows=500,
            labelled=1,
            estimated=estimated,
            method="m",
            attainable=AttainableLoss(score=10, worse=value, low=low if value > 0 else -1),
        )
        ledger.record_monitoring(
            "trips",
            MonitorRecord(
                champion=CHAMPION.run_key,
                version=3,
                span=digest_of(month),
                name=f"{month}.csv",
                rows=100,
                asked=digest_of("asked"),
                state="measured",
                inputs=0,
                columns=0,
                strongest=(),
                rises=(rise,),
                because="so",
                document=digest_of("d"),
            ),
        )


def found(ledger, holdout=(), spec=spec()):  # noqa: B008
    return champion_decay(spec, CHAMPION, ledger, holdout)


def test_two_of_the_newest_three_spans_surely_worse_are_decay(ledger):
    measure(ledger, 0, 1, 1)
    decay = found(ledger, {"6.csv"})
    assert (decay.decayed, decay.before) == (True, False)
    assert decay.because == "champion v3 is surely worse than attainable, on 5.csv, 6.csv"


def test_it_was_so_before_the_holdout_where_the_spans_before_say_so_alone(ledger):
    measure(ledger, 1, 1, 1)
    decay = found(ledger, {"6.csv"})
    assert (decay.decayed, decay.before) == (True, True)


def test_a_champion_that_recovers_on_the_holdout_has_not_decayed_but_had(ledger):
    measure(ledger, 1, 1, 0)
    decay = found(ledger, {"6.csv"})
    assert (decay.decayed, decay.before) == (False, True)


def test_one_odd_span_is_none_unless_it_is_extreme(ledger):
    measure(ledger, 0, 0, 1)
    assert not found(ledger).decayed
    measure(ledger, 3, first=7, low=1)  # four margins of 5 %, and surely one
    assert found(ledger).decayed


@pytest.mark.parametrize("more", [{"estimated": True}, {"low": -0.1}])
def test_neither_estimates_nor_what_is_unsure_count(ledger, more):
    measure(ledger, 1, 1, 1, **more)
    assert not found(ledger).decayed


def test_the_rule_is_that_of_the_decay_trigger(ledger):
    measure(ledger, 1, 1, 1)
    strict = spec(any=[{"decay": {"worse_by": "20%", "for": "2 of 3"}}])
    once = spec(any=[{"all": [{"decay": {"for": "1 of 1"}}, {"code": True}]}])
    assert not found(ledger, spec=strict).decayed
    measure(ledger, 0, 0, 1, first=7)
    assert not found(ledger).decayed
    assert found(ledger, spec=once).decayed


def test_a_late_span_keeps_its_place_in_time(ledger):
    measure(ledger, 1, 1, first=5)
    measure(ledger, 0, first=4)
    assert [span.name for span in newer_spans(spec(), CHAMPION, ledger)] == [
        "4.csv",
        "5.csv",
        "6.csv",
    ]
    assert found(ledger).decayed


def test_without_a_champion_or_the_field_there_is_no_finding(ledger):
    measure(ledger, 1, 1, 1)
    assert champion_decay(spec(), None, ledger, ()) is None
    plain = spec()
    gate = plain.gate.model_copy(update={"when_decayed": None})
    assert champion_decay(plain.model_copy(update={"gate": gate}), CHAMPION, ledger, ()) is None
