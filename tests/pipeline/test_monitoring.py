"""Monitoring in one process, with planted truth: what changed must show, what did not must not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from everfit.contracts.base import digest_of
from everfit.contracts.messages.chain import ChainTask, monitoring_tasks
from everfit.contracts.messages.monitoring import MonitorRequest, MonitorResult, WatchResult
from everfit.contracts.messages.monitoring_levels import DriftLevel
from everfit.contracts.messages.spans import Snapshot
from everfit.contracts.messages.steps import Trigger
from everfit.contracts.settings import Settings
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine import pipeline as run
from everfit.engine.context import open_context
from everfit.operations.status import newest_watched, serving_champion
from everfit.steps.monitor.champion_at_work import ChampionAtWork
from everfit.steps.monitor.evaluate_span import Evaluator
from tests.world import World

ROWS = 900


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which a champion of two months was judged on a third."""
    root = tmp_path_factory.mktemp("trained")
    (root / "dags" / "pipelines").mkdir(parents=True)
    (root / "data").mkdir()
    with open_context(Settings.from_environment({"EVERFIT_ROOT": str(root)})) as context:
        world = World(context)
        world.months(3, rows=ROWS)
        world.run()
    return root


def without_the_report(spec: PipelineSpec) -> list[ChainTask]:
    return [task for task in monitoring_tasks(spec) if task.component != "drift_report"]


@pytest.fixture
def served(trained, tmp_path, monkeypatch):
    """A copy of it, to do with as one likes; Evidently's report has tests of its own."""
    monkeypatch.setattr(run, "monitoring_tasks", without_the_report)
    root = shutil.copytree(trained, tmp_path / "root")
    with open_context(Settings.from_environment({"EVERFIT_ROOT": str(root)})) as context:
        world = World(context)
        world.spec["monitor"] = {"min_rows": 50}
        yield world


def change(world, month, how):
    """Rewrite a month as ``how`` returns it."""
    path = world.trips / f"{month}.csv"
    frame = pd.read_csv(path)
    how(frame).to_csv(path, index=False)


def look(world, context=None):
    """One monitoring; component → outcome."""
    outcomes = run.monitor_pipeline(
        world.load(), context or world.context, Trigger(run_type="scheduled")
    )
    return {outcome.component: outcome for outcome in outcomes}


def measured(world, outcomes):
    result = MonitorResult.model_validate_json(world.context.store.get(outcomes["monitor"].result))
    return {evaluation.span.name[:7]: evaluation for evaluation in result.evaluations}, result


def records(world):
    return {(r.name[:7], r.span[:6]): r for r in world.context.ledger.monitorings("quick")}


def shown_page(world, result):
    """The page's text, whose numbers are not parted from their units."""
    return world.context.store.get(result.page.digest).decode().replace("\u00a0", " ")


def dearer(frame):
    """Fares that follow the distance otherwise than before: the model's concept has changed."""
    frame["fare_amount"] = frame["fare_amount"] + 2.0 * frame["trip_distance"]
    return frame


def farther(frame):
    """Longer trips, fares as metered before: inputs drift."""
    frame["trip_distance"] = frame["trip_distance"] * 1.8
    return frame


def test_months_like_the_old_ones_raise_no_alarm(served):
    served.months(6, rows=ROWS)
    outcomes = look(served)
    found, result = measured(served, outcomes)
    assert list(found) == ["2018-04", "2018-05", "2018-06"]
    for evaluation in found.values():
        assert evaluation.state == "measured"
        assert evaluation.inputs == 0.0
        (rise,) = evaluation.rises
        assert not rise.beyond(served.load().monitor.worse_by)
        assert (rise.labelled, rise.source) == (1.0, "champion")
    assert result.news == ()
    champion = served.context.ledger.versions("quick")[0].champion
    assert rise.reference == champion.scores["mae"]


def test_fares_that_follow_another_rule_are_decay_and_told_once(served):
    served.months(4, rows=ROWS)
    change(served, "2018-04", dearer)
    outcomes = look(served)
    found, _ = measured(served, outcomes)
    (rise,) = found["2018-04"].rises
    margin = served.load().monitor.worse_by
    assert rise.surged(margin) and not rise.beyond(margin)  # a fresh model knows no better yet
    assert rise.low > 1.0
    (news,) = [item for item in outcomes["monitor"].news if item.kind == "decay"]
    assert news.what == "quick: champion v1 has become worse on 2018-04.csv"
    assert news.report in outcomes["monitor"].reports

    served.months(5, rows=ROWS)
    change(served, "2018-05", dearer)
    outcomes = look(served)
    found, _ = measured(served, outcomes)
    (rise,) = found["2018-05"].rises
    assert rise.beyond(margin)  # it has learnt from April
    assert rise.attainable.score < rise.current
    assert [item.kind for item in outcomes["monitor"].news if item.kind == "decay"] == []
    served.months(6, rows=ROWS)
    assert look(served)["monitor"].news == ()
    served.months(7, rows=ROWS)
    change(served, "2018-07", dearer)
    assert "decay" in [item.kind for item in look(served)["monitor"].news], "new again"


def test_longer_trips_are_drift_in_what_the_champion_depends_on(served):
    served.months(4, rows=ROWS)
    change(served, "2018-04", farther)
    outcomes = look(served)
    found, _ = measured(served, outcomes)
    drifted = {column.name: column for column in found["2018-04"].columns if column.drifted}
    assert "trip_distance" in drifted
    assert drifted["trip_distance"].depends > 0.05
    assert found["2018-04"].inputs == drifted["trip_distance"].score
    assert "drift" in [item.kind for item in outcomes["monitor"].news]
    (record,) = records(served).values()
    assert record.inputs == found["2018-04"].inputs
    assert "trip_distance" in record.strongest


def test_a_second_look_does_nothing(served):
    served.months(4, rows=ROWS)
    look(served)
    before = served.context.ledger.monitorings("quick")
    assert "watch" not in look(served)
    assert served.context.ledger.monitorings("quick") == before


def test_a_copy_of_an_old_month_is_never_held_against_the_champion(served):
    old = served.trips / "2018-01.csv"
    (served.trips / "2018-04.csv").write_bytes(old.read_bytes())
    served.months(5, rows=ROWS)
    outcomes = look(served)
    assert list(measured(served, outcomes)[0]) == ["2018-05"]
    assert outcomes["monitor"].news == ()
    served.months(6, rows=ROWS)
    watched = WatchResult.model_validate_json(
        served.context.store.get(look(served)["watch"].result)
    )
    assert "2018-04.csv is left out: it is a copy of 2018-01.csv" in watched.notes


def test_copies_alone_are_nothing_to_evaluate(served):
    copy = served.trips / "2018-04.csv"
    copy.write_bytes((served.trips / "2018-03.csv").read_bytes())
    assert set(look(served)) == {"watch", "extract", "plan"}
    assert served.context.ledger.monitorings("quick") == []
    assert "watch" not in look(served)


def test_rows_the_champion_was_trained_on_do_not_count(served):
    served.months(4, rows=ROWS)
    old = pd.read_csv(served.trips / "2018-01.csv").head(300)
    change(served, "2018-04", lambda frame: pd.concat([old, dearer(frame)]))
    found, result = measured(served, look(served))
    (rise,) = found["2018-04"].rises
    assert rise.rows == ROWS
    assert "300 rows are left out: the champion was trained on them" in " ".join(result.notes)


def test_labels_that_are_late_give_an_estimate_and_then_the_truth(served):
    served.months(4, rows=ROWS)
    whole = (served.trips / "2018-04.csv").read_text()

    def without(frame):
        frame.loc[frame.index >= 30, "fare_amount"] = np.nan
        return frame

    change(served, "2018-04", without)
    found, result = measured(served, look(served))
    (rise,) = found["2018-04"].rises
    assert rise.estimated
    assert rise.labelled == pytest.approx(30 / ROWS)
    assert not rise.beyond(served.load().monitor.worse_by)
    assert "only 30 of 900 rows have a label: the loss is an estimate" in " ".join(result.notes)
    assert "watch" not in look(served)

    (served.trips / "2018-04.csv").write_text(whole)
    change(served, "2018-04", dearer)
    found, _ = measured(served, look(served))
    (rise,) = found["2018-04"].rises
    assert not rise.estimated
    assert rise.surged(served.load().monitor.worse_by)
    told = served.context.ledger.monitorings("quick")
    assert [r.name for r in told] == ["2018-04.csv", "2018-04.csv"]
    assert told[-1].rises[0] == rise, "the newest record of a name is the one that counts"


def test_labels_are_not_believed_before_they_are_due(served):
    served.spec["monitor"]["labels_after"] = "30d"
    served.months(4, rows=ROWS)
    early = replace(served.context, clock=lambda: datetime(2018, 5, 10, tzinfo=UTC))
    found, _ = measured(served, look(served, early))
    assert found["2018-04"].rises[0].estimated
    assert "watch" not in look(served, early)
    late = replace(served.context, clock=lambda: datetime(2018, 6, 1, tzinfo=UTC))
    found, _ = measured(served, look(served, late))
    assert not found["2018-04"].rises[0].estimated
    assert found["2018-04"].rises[0].labelled == 1.0


def test_the_estimate_of_the_holdout_itself_is_its_score(served):
    champion = served.context.ledger.versions("quick")[0].champion
    request = MonitorRequest(
        pipeline=served.load(), champion=champion, spans=(), reference=(), past=()
    )
    (expected,) = ChampionAtWork(request, served.context)._expected.metrics
    mean = np.average(expected.loss, weights=expected.rows)
    assert sum(expected.rows) == ROWS
    assert mean == pytest.approx(champion.scores["mae"], rel=1e-9)


def test_predictions_as_served_are_joined_with_the_labels(served):
    served.spec["monitor"]["predictions"] = {
        "uri": "{data}/served/*.csv",
        "key": ["pickup_datetime", "trip_distance"],
        "prediction": "fare",
        "time": "pickup_datetime",
    }
    served.months(4, rows=ROWS)
    found, _ = measured(served, look(served))
    assert [rise.source for rise in found["2018-04"].rises] == ["champion"]

    trips = pd.read_csv(served.trips / "2018-04.csv")
    log = trips[["pickup_datetime", "trip_distance"]].assign(fare=trips["fare_amount"] + 3.0)
    folder = served.context.settings.data / "served"
    folder.mkdir()
    log.head(600).to_csv(folder / "a.csv", index=False)
    found, result = measured(served, look(served))
    champion, logged = found["2018-04"].rises
    assert (champion.source, logged.source) == ("champion", "logged")
    assert logged.current == pytest.approx(3.0)
    assert logged.labelled == 1.0
    keys = log.head(600).drop_duplicates(["pickup_datetime", "trip_distance"])
    assert logged.rows >= len(keys)
    assert "300 of 900 rows of 2018-04.csv have no logged prediction" in " ".join(result.notes)
    assert "watch" not in look(served)


def test_a_file_that_cannot_be_read_is_told_and_fails_nothing(served):
    (served.trips / "2018-04.csv").write_text("no,table\n1\n2,3,4\n")
    outcomes = look(served)
    assert "monitor" not in outcomes
    (news,) = outcomes["extract"].news
    assert (news.kind, news.what) == ("quarantined", "2018-04.csv was refused")
    assert "watch" not in look(served), "it is known by now"


def test_a_broken_month_is_not_scored(served):
    served.months(4, rows=ROWS)
    change(served, "2018-04", lambda frame: frame.drop(columns="trip_distance"))
    outcomes = look(served)
    found, _ = measured(served, outcomes)
    assert found["2018-04"].state == "broken"
    assert found["2018-04"].rises == ()
    assert "trip_distance" in found["2018-04"].because
    assert [item.kind for item in outcomes["monitor"].news] == ["quarantined"]
    (record,) = records(served).values()
    assert (record.state, record.rises) == ("broken", ())


def test_a_champion_of_an_older_everfit_is_compared_as_far_as_it_goes(served):
    served.months(4, rows=ROWS)
    found, _ = measured(served, look(served))
    known = {r.name: r for r in served.context.ledger.spans("quick")}
    spans = [Snapshot.model_validate(known[f"2018-0{m}.csv"].snapshot).span for m in range(1, 5)]
    old = served.context.ledger.versions("quick")[0].champion.model_copy(
        update={"scores": {}, "losses": None, "importances": {}, "holdout": ()}
    )
    request = MonitorRequest(
        pipeline=served.load(), champion=old, spans=spans[3:], reference=spans[:2], past=spans[:3]
    )
    evaluator = Evaluator(request, served.context)
    evaluation = evaluator.evaluate(spans[3])
    assert evaluation.rises == ()
    assert [c.name for c in evaluation.columns] == [c.name for c in found["2018-04"].columns]
    assert {c.depends for c in evaluation.columns} == {None, 0.0}
    assert any("its decay cannot be told" in note for note in evaluator.notes)
    assert any("each that it reads is taken to matter" in note for note in evaluator.notes)


def test_what_is_recorded_is_the_small_json(served):
    served.months(4, rows=ROWS)
    outcomes = look(served)
    _, result = measured(served, outcomes)
    document = json.loads(served.context.store.get(result.drift.digest))
    assert document["pipeline"] == "quick"
    assert document["champion"]["version"] == 1
    assert [e["span"]["name"] for e in document["evaluations"]] == ["2018-04.csv"]
    (record,) = records(served).values()
    assert record.document == outcomes["monitor"].result


def test_one_rate_over_all_pipelines_is_kept_recorded_and_told(served):
    ledger = served.context.ledger
    served.months(4, rows=ROWS)
    look(served)
    (alone,) = ledger.monitorings("quick")
    assert alone.tested is None, "no rate was asked for"

    def elsewhere(name, span):
        found = DriftLevel(level=0.01, rate=0.05, pipelines=5, counts=True)
        record = {"span": digest_of(span), "at": "", "tested": found}
        ledger.record_monitoring(name, alone.model_copy(update=record))

    for name in ("a", "b", "c"):
        elsewhere(name, name)
    served.spec["monitor"]["across_pipelines"] = 0.02
    served.months(5, rows=ROWS)
    found, result = measured(served, look(served))
    shown = [found[month].tested for month in ("2018-04", "2018-05")]
    # Four pipelines; three windows drifted since this one's last: counted for its oldest span.
    assert [(one.level, one.pipelines, one.drifted) for one in shown] == [
        (pytest.approx(0.015), 4, 3),
        (pytest.approx(0.005), 4, 0),
    ]
    assert [record.tested for record in ledger.monitorings("quick")] == [None, *shown]
    document = json.loads(served.context.store.get(result.drift.digest))
    assert document["asked"]["across_pipelines"] == 0.02
    assert document["evaluations"][1]["tested"]["pipelines"] == 4
    page = shown_page(served, result)
    assert "tested at 0.5 %: 2 % shared by 4 pipelines" in page
    serving = serving_champion(ledger, "quick", served.load())
    assert newest_watched(serving, ledger.monitorings("quick")).tested == shown[1].in_words

    elsewhere("d", "d")  # what comes later changes nothing that was tested
    served.spec["monitor"]["effect"] = 0.2
    found, _ = measured(served, look(served))
    again = [found[month].tested for month in ("2018-04", "2018-05")]
    assert [one.level for one in again] == [one.level for one in shown]
    assert all(one.repeated and not one.counts for one in again)


def test_a_level_is_spent_over_the_life_of_a_champion(served):
    served.months(4, rows=ROWS)
    look(served)
    served.months(5, rows=ROWS)
    found, result = measured(served, look(served))
    tests = [one.rises[0].test for one in served.context.ledger.monitorings("quick")]
    assert [one.place for one in tests] == [1, 2]
    assert tests[1].level == pytest.approx(0.05 * 2**-1.2 / 5.591582, rel=1e-6)
    assert found["2018-05"].rises[0].test == tests[1]
    page = shown_page(served, result)
    assert "5 % are called worse on any span of their lives" in page

    served.spec["monitor"]["effect"] = 0.2  # both are evaluated anew, and keep their places
    found, _ = measured(served, look(served))
    assert [found[month].rises[0].test for month in ("2018-04", "2018-05")] == tests
    served.spec["monitor"]["decay_level"] = None
    found, _ = measured(served, look(served))
    assert [found[month].rises[0].test for month in ("2018-04", "2018-05")] == [None, None]


def test_a_binary_target_by_entity_with_a_row_wise_holdout(world, monkeypatch):
    monkeypatch.setattr(run, "monitoring_tasks", without_the_report)
    world.spec |= {
        "task": "binary",
        "target": {"name": "generous", "expression": "tip_amount > 0.15 * fare_amount"},
        "entity": ["pickup_location_id"],
        "features": {"drop": ["total_amount", "tip_amount"], "keep": ["fare_amount"]},
        "holdout": {"fraction": 0.3},
        "gate": {"metric": "roc_auc", "superior_by": 0.01, "baseline": "prior"},
        "triggers": {"any": [{"decay": {"metric": "log_loss", "worse_by": "10%"}}]},
    }
    world.months(3, rows=ROWS)
    world.run()
    champion = world.context.ledger.versions("quick")[0].champion
    assert champion.holdout == (), "the rows were divided, not the spans"

    world.months(4, rows=ROWS)
    found, _ = measured(world, look(world))
    rises = {rise.metric: rise for rise in found["2018-04"].rises}
    assert list(rises) == ["roc_auc", "log_loss"]
    assert any(unit in rises["roc_auc"].method for unit in ("entities", "time blocks"))
    assert not rises["log_loss"].beyond(world.load().monitor.worse_by)

    def stingy(frame):
        cards = frame["payment_type"] == 1
        frame.loc[cards, "tip_amount"] = 0.0
        frame.loc[~cards, "tip_amount"] = frame.loc[~cards, "fare_amount"]
        return frame

    world.months(5, rows=ROWS)
    change(world, "2018-05", stingy)
    found, _ = measured(world, look(world))
    rises = {rise.metric: rise for rise in found["2018-05"].rises}
    assert rises["roc_auc"].current < 0.5 < rises["roc_auc"].reference
    assert rises["roc_auc"].worse == pytest.approx(
        rises["roc_auc"].reference - rises["roc_auc"].current
    )
    assert rises["roc_auc"].low > 0 and rises["log_loss"].low > 0

    world.months(6, rows=ROWS)
    change(world, "2018-06", lambda frame: frame.assign(tip_amount=np.nan))
    found, result = measured(world, look(world))
    (rise,) = found["2018-06"].rises
    assert (rise.metric, rise.estimated, rise.labelled) == ("log_loss", True, 0.0)
    assert rise.current == pytest.approx(rise.reference, rel=0.25)
    assert "ROC AUC is never estimated: it needs labels" in " ".join(result.notes)
