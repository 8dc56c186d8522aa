"""Stability, signature, serving, size and entities: each passing, failing and unable to look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from everfit.contracts.messages.evidence import Disturbed
from everfit.steps.gate.check import run_checks
from everfit.steps.gate.evidence import read_evidence as reading
from everfit.steps.gate.evidence.evidence import Missing, Served
from everfit.steps.gate.evidence.read_evidence import read_evidence
from everfit.steps.gate.find_checks import built_in_checks

ROWS = 400
SOUND = Served(True, "All as published.", 20, 1.5, 4.0)


@pytest.fixture
def ask(context, monkeypatch):
    """The checks of one code, of a world."""
    monkeypatch.setattr(reading, "try_serving", lambda *a, **k: SOUND)

    def asked(world, *codes, request=lambda request: request, **changes):
        evidence = replace(read_evidence(request(world.request()), context), **changes)
        wanted = [replace(q, needs=()) for q in built_in_checks() if q.code in codes]
        return run_checks(wanted, evidence)

    return asked


def told(check):
    return check.severity, check.state, check.forces


# STABILITY


def noise(**changes):
    known = {"what": "noise", "kind": "noise", "rows": 400, "before": 2.0, "after": 2.1}
    return Disturbed(**{**known, "worse": 0.1, **changes})


def without(name, trouble="", rows=400):
    after = None if trouble else 3.0
    return Disturbed(
        what=name, rows=rows, before=2.0, after=after, worse=after and 1.0, trouble=trouble
    )


BOTH = (without("distance"), without("passengers"))


def declared(world, **stability):
    return world.but(gate={**world.gate, "stability": stability})


def test_noise_within_what_is_allowed(world, ask):
    missing, found = ask(world, "STABILITY")
    assert (missing.state, found.state) == ("passed", "passed")
    # a tenth of 2.0 is allowed where nothing is declared
    assert found.message.endswith(
        "from 2.00 to 2.10 on 400 holdout rows; worse by at most 0.2 is allowed."
    )


def test_noise_that_undoes_the_model_warns_and_where_it_is_declared_rejects(world, ask):
    bad = world.but(disturbed=(noise(after=2.3, worse=0.3), *BOTH))
    assert told(ask(bad, "STABILITY")[1]) == ("warning", "failed", None)
    found = ask(declared(bad, noise=0.05, worse_by=0.25), "STABILITY")[1]
    assert told(found) == ("error", "failed", "reject")
    assert found.message.startswith("With noise of 5 % of the standard deviation on 2 numeric")
    assert found.flip == "MAE worse by at most 0.250 instead of 0.300"
    assert ask(declared(bad, worse_by=0.3), "STABILITY")[1].state == "passed"


def test_no_answer_without_an_input_rejects_whatever_is_declared(world, ask):
    crashes = (noise(), without("distance", "ValueError: no"), without("passengers"))
    found = ask(world.but(disturbed=crashes), "STABILITY")[0]
    assert told(found) == ("error", "failed", "reject")
    assert found.message == (
        "Predictions without the input are not finite for 1 of 2 features: distance "
        "(ValueError: no)."
    )


def test_no_answer_under_noise_rejects(world, ask):
    strange = noise(after=None, worse=None, trouble="3 of 400 predictions are not finite")
    found = ask(world.but(disturbed=(strange, *BOTH)), "STABILITY")[1]
    assert told(found) == ("error", "failed", "reject")


@pytest.mark.parametrize(
    ("left", "states"),
    [
        ((), ["not_assessed", "not_assessed"]),
        (BOTH, ["passed", "not_assessed"]),
        ((noise(),), ["not_assessed", "passed"]),
        ((noise(), noise(), *BOTH), ["passed", "not_assessed"]),
        ((noise(), without("height")), ["not_assessed", "passed"]),
    ],
)
def test_what_was_not_tried_stands_in_the_way(world, ask, left, states):
    found = ask(world.but(disturbed=left), "STABILITY")
    assert [check.state for check in found] == states
    held = [check for check in found if check.state == "not_assessed"]
    assert {(check.severity, check.forces) for check in held} == {("error", "hold")}


def test_a_metric_that_the_sample_cannot_give_is_not_assessed(world, ask):
    unknown = noise(before=None, after=None, worse=None)
    found = ask(world.but(disturbed=(unknown, *BOTH)), "STABILITY")[1]
    assert told(found) == ("warning", "not_assessed", None)
    found = ask(declared(world.but(disturbed=(unknown, *BOTH))), "STABILITY")[1]
    assert told(found) == ("error", "not_assessed", "hold")


def test_a_table_without_numbers_has_nothing_to_be_off(world, ask):
    def texts(request):
        roles = tuple(c.model_copy(update={"type": "string"}) for c in request.prepared.columns)
        prepared = request.prepared.model_copy(update={"columns": roles})
        return request.model_copy(update={"prepared": prepared})

    found = ask(world.but(disturbed=BOTH), "STABILITY", request=texts)
    assert [check.state for check in found] == ["passed", "not_applicable"]


def test_that_only_the_most_important_were_tried_is_said(world, ask):
    names = tuple(f"x{i}" for i in range(60))
    some = tuple(without(name) for name in names[:50])
    found = ask(world.but(columns=names, disturbed=(noise(), *some)), "STABILITY")[0]
    assert "any one of the 50 most important of 60 features is missing" in found.message


# SIGNATURE


def test_a_candidate_like_the_champion_fits(world, ask):
    assert {check.state for check in ask(world, "SIGNATURE")} == {"passed"}


@pytest.mark.parametrize("before", ["integer", "float", "boolean"])
def test_numbers_are_compatible(world, ask, before):
    signature = {"distance": before, "passengers": "float"}
    assert ask(world.but(signature=signature), "SIGNATURE")[0].state == "passed"


@pytest.mark.parametrize("before", ["string", "timestamp"])
def test_an_input_of_another_kind_holds(world, ask, before):
    found = ask(world.but(signature={"distance": before, "passengers": "float"}), "SIGNATURE")[0]
    assert told(found) == ("error", "failed", "hold")
    assert found.message.endswith(f"have another type: distance ({before} before, float now).")


def test_an_input_that_must_be_sent_from_now_on_warns(world, ask):
    found = ask(world.but(signature={"distance": "float", "tolls": "float"}), "SIGNATURE")[1]
    assert told(found) == ("warning", "failed", None)
    assert found.message == (
        "Callers must send 1 column that champion v3 does not need: passengers."
    )


def test_an_input_that_is_no_longer_needed_is_fine(world, ask):
    signature = {"distance": "float", "passengers": "float", "tolls": "float"}
    found = ask(world.but(signature=signature), "SIGNATURE")[1]
    assert found.state == "passed"
    assert "1 of that model's columns are no longer needed" in found.message


def champion(**changes):
    def alter(request):
        changed = request.champion.model_copy(update=changes)
        return request.model_copy(update={"champion": changed})

    return alter


def test_types_of_an_old_version_are_read_from_its_training_table(world, ask):
    found = ask(world, "SIGNATURE", request=champion(signature={}))
    assert {check.state for check in found} == {"passed"}


def test_a_champion_of_which_nothing_is_on_record_is_not_compared(world, ask):
    found = ask(world, "SIGNATURE", request=champion(signature={}, features=()))
    assert told(found[0]) == ("warning", "not_assessed", None)
    assert found[1].state == "passed"


def test_a_champion_whose_types_nobody_knows_holds(world, ask):
    (found,) = ask(world, "SIGNATURE", request=champion(signature={}, features=("gone",)))
    assert told(found) == ("error", "not_assessed", "hold")
    (found,) = ask(world, "SIGNATURE", champion_reads=Missing("it is damaged"))
    assert told(found) == ("error", "not_assessed", "hold")


def test_a_champion_that_predicts_something_else_holds(world, ask):
    found = ask(world.but(target="tip"), "SIGNATURE")[2]
    assert told(found) == ("error", "failed", "hold")
    assert found.message == "The target is fare, which champion v3 was not trained to predict."
    found = ask(world, "SIGNATURE", request=champion(scores={"roc_auc": 0.9}))[2]
    assert told(found) == ("error", "failed", "hold")
    assert "champion v3 was scored by roc_auc" in found.message


@pytest.mark.parametrize(
    ("task", "ours", "theirs", "answer"),
    [
        ("binary", ("no", "yes"), ("no", "yes"), ("error", "passed", None)),
        ("binary", ("0", "1"), ("False", "True"), ("error", "failed", "hold")),
        ("binary", ("a", "b"), ("a", "b", "c"), ("error", "failed", "hold")),
        ("multiclass", ("a", "b", "c"), ("a", "b"), ("warning", "failed", None)),
        ("multiclass", ("a", "b"), ("a", "b", "c"), ("error", "failed", "hold")),
    ],
)
def test_classes_that_come_warn_and_those_that_go_hold(world, ask, task, ours, theirs, answer):
    from everfit.steps.gate.evidence.evidence import Reads

    def of_classes(request):
        prepared = request.prepared.model_copy(update={"classes": ours})
        return request.model_copy(update={"prepared": prepared, "task": task})

    reads = Reads(dict.fromkeys(world.columns, "float"), "string", theirs)
    found = ask(world, "SIGNATURE", request=of_classes, champion_reads=reads)[2]
    assert told(found) == answer


def test_classes_are_read_from_the_champion_s_training_table(world, context):
    import pyarrow as pa

    from tests.unit.gate.conftest import parquet

    request = world.request()
    values = pa.array([1, 0, 1, 2], pa.int64())
    table = parquet(
        __row=np.arange(4, dtype=np.uint64), distance=[1.0] * 4, passengers=[1.0] * 4, fare=values
    )
    old = request.champion.model_copy(update={"train": context.store.put("t.parquet", table)})
    request = request.model_copy(update={"champion": old, "task": "multiclass"})
    found = reading._champion_reads(request, old, context)
    assert (found.target, found.classes) == ("integer", ("0", "1", "2"))


def test_without_a_champion_there_is_nothing_to_fit(world, ask):
    (found,) = ask(world.but(champion_rows=None), "SIGNATURE")
    assert found.state == "not_applicable"


# SERVABLE, SERVE-EQUAL, LATENCY, SIZE


def test_a_model_that_answers_otherwise_is_servable_and_not_equal(world, ask):
    found = ask(world, "SERVABLE", "SERVE-EQUAL", served=Served(False, "3 differ.", 20))
    assert [told(check) for check in found] == [
        ("error", "passed", None),
        ("error", "failed", "reject"),
    ]
    assert found[1].message == "3 differ."


def test_a_model_that_does_not_answer_is_neither(world, ask):
    found = ask(world, "SERVABLE", "SERVE-EQUAL", served=Served(False, "It does not load."))
    assert {told(check) for check in found} == {("error", "failed", "reject")}


def timed(world, limit):
    return world.but(gate={**world.gate, "max_latency_ms": limit})


def test_latency_is_judged_by_the_slow_ones(world, ask):
    (found,) = ask(timed(world, 4.0), "LATENCY")
    assert found.state == "passed"
    (found,) = ask(timed(world, 3.5), "LATENCY")
    assert told(found) == ("error", "failed", "reject")
    assert found.message == (
        "The 95th percentile of predictions of one row is 4.00 ms, the median 1.50 ms; at most "
        "3.5 ms is allowed."
    )
    assert ask(world, "LATENCY")[0].state == "not_applicable"


@pytest.mark.parametrize("there", [Served(True, "Yes.", 20), Missing("gone")])
def test_latency_that_nobody_measured_holds(world, ask, there):
    (found,) = ask(timed(world, 4.0), "LATENCY", served=there)
    assert told(found) == ("error", "not_assessed", "hold")


def test_the_times_are_asked_for_only_where_there_is_a_limit(world, context, monkeypatch):
    asked = []
    monkeypatch.setattr(reading, "try_serving", lambda *a, **k: asked.append(k["timed"]) or SOUND)
    for one in (world, timed(world, 3.0)):
        read_evidence(one.request(), context)
    assert asked == [False, True]


def test_size_is_that_of_the_published_file(world, ask):
    bytes_ = len(world.model)
    at_limit = world.but(gate={**world.gate, "max_size_mb": bytes_ / 1e6})
    assert ask(at_limit, "SIZE")[0].state == "passed"
    (found,) = ask(world.but(gate={**world.gate, "max_size_mb": (bytes_ - 1) / 1e6}), "SIZE")
    assert told(found) == ("error", "failed", "reject")
    assert ask(world, "SIZE")[0].state == "not_applicable"


# LINEAGE-ENTITIES


def riders(world, **changes):
    """Riders 0-39 are judged on, 100-399 trained, and 200-299 the champion's."""
    sides = {
        "holdout": np.arange(ROWS) % 40,
        "train": 100 + np.arange(len(world.train)) % 300,
        "champion": 200 + np.arange(1000) % 100,
        **changes,
    }
    return world.but(entity=("rider",), riders=sides)


def test_entities_that_are_apart_pass(world, ask):
    (found,) = ask(riders(world), "LINEAGE-ENTITIES")
    assert found.state == "passed"
    assert found.message.startswith("None of the 40 entities (rider) of the holdout")
    assert "champion v3" in found.message


def test_one_entity_the_candidate_saw_rejects(world, ask):
    train = 100 + np.arange(len(world.train)) % 300
    train[17] = 3
    (found,) = ask(riders(world, train=train), "LINEAGE-ENTITIES")
    assert told(found) == ("error", "failed", "reject")
    assert found.message == (
        "The candidate was trained on 1 of the 40 entities (rider) of the holdout."
    )


def test_entities_the_champion_saw_hold(world, ask):
    (found,) = ask(riders(world, champion=np.arange(1000) % 38), "LINEAGE-ENTITIES")
    assert told(found) == ("error", "failed", "hold")
    assert "Champion v3 was trained on 38 of the 40 entities (rider)" in found.message


def test_a_number_kept_as_a_float_is_the_same_entity(world, ask):
    (found,) = ask(riders(world, champion=np.full(1000, 7.0)), "LINEAGE-ENTITIES")
    assert found.state == "failed"


def test_entities_of_another_kind_cannot_be_found_again(world, ask):
    (found,) = ask(riders(world, champion=["7"] * 1000), "LINEAGE-ENTITIES")
    assert told(found) == ("error", "not_assessed", "hold")
    assert "Rider is text in train.parquet, number elsewhere" in found.message


def test_a_champion_of_before_the_entity_was_declared_holds(world, ask):
    known = riders(world)
    known.riders.pop("champion")
    (found,) = ask(known, "LINEAGE-ENTITIES")
    assert told(found) == ("error", "not_assessed", "hold")
    assert found.message == "Train.parquet has no column rider."


def test_without_a_champion_only_the_candidate_can_have_seen_them(world, ask):
    (found,) = ask(riders(world).but(champion_rows=None), "LINEAGE-ENTITIES")
    assert found.state == "passed"


def test_no_entity_is_no_question(world, ask):
    (found,) = ask(world, "LINEAGE-ENTITIES")
    assert found.state == "not_applicable"


def test_a_row_that_names_nobody_is_its_own_entity(world, ask):
    nobody = [None] * ROWS
    sides = riders(world, holdout=nobody, train=[None] * len(world.train), champion=[None] * 1000)
    (found,) = ask(sides, "LINEAGE-ENTITIES")
    assert found.state == "passed"
    assert "None of the 400 entities" in found.message
