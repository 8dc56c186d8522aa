"""Validate on a real store and ledger: caching, quarantine, run record and stops."""

from __future__ import annotations

from dataclasses import replace

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import AllRefused, SourceError
from everfit.contracts.messages.planning import PlanResult
from everfit.contracts.messages.requests import ExtractResult, ValidateRequest
from everfit.contracts.messages.spans import Snapshot, Span, SpanRef
from everfit.contracts.messages.statistics import SpanStatistics
from everfit.contracts.messages.steps import Ended, Order, Trigger
from everfit.contracts.spec.rules import rules_digest
from everfit.engine.execute import perform
from everfit.engine.fingerprints import code_digest, environment_digest, run_key
from everfit.engine.upstream import Upstream
from everfit.steps.validate.step import Validate


@pytest.fixture
def order_for(context, tmp_path, month_period, make_spec):
    """Publish tables as plan and extract would, and order their validation."""

    def publish(tables, spec=None, champion=None):
        spec = spec or make_spec(holdout={"spans": 1})
        refs, snapshots = [], []
        for name, table in tables.items():
            path = tmp_path / f"{name}.parquet"
            pq.write_table(table, path, store_schema=False)
            artifact = context.store.put(path.name, path)
            start, end = month_period(name)
            span = Span(
                name=name,
                digest=artifact.digest,
                rows=table.num_rows,
                size=artifact.size,
                period_start=start,
                period_end=end,
            )
            refs.append(SpanRef(name=name, fingerprint="f", location="l"))
            snapshots.append(Snapshot(span=span, fingerprint="f", provenance={}))
        plan = PlanResult(
            decision="train",
            because="there is no champion yet",
            window=tuple(refs[:-1]),
            holdout=tuple(refs[-1:]),
            champion=champion,
            code=code_digest("run"),
            environment=environment_digest(),
        )
        # Extract may have refused some, and names them in whatever order it likes.
        extracted = ExtractResult(snapshots=tuple(reversed(snapshots)), refused=())
        return Order(
            component="validate",
            pipeline=spec,
            upstream={
                "plan": (context.store.put("plan.json", canonical_json(plan)).digest,),
                "extract": (context.store.put("extract.json", canonical_json(extracted)).digest,),
            },
            trigger=Trigger(reason="test"),
        )

    return publish


@pytest.fixture
def four(months):
    return dict(list(months.items())[:4])


def times(table, factor):
    place = table.schema.get_field_index("trip_distance")
    return table.set_column(
        place, "trip_distance", pc.multiply(table.column("trip_distance"), factor)
    )


def result_of(outcome, context):
    return Validate.result_type.model_validate_json(context.store.get(outcome.result))


def test_good_spans_open_the_run(order_for, four, context):
    order = order_for(four)
    outcome = perform(order, context)
    result = result_of(outcome, context)
    assert [span.name for span in result.window] == list(four)[:3]
    assert [span.name for span in result.holdout] == list(four)[3:]
    spec = order.pipeline
    assert result.run_key == run_key(
        spec, result.window, result.holdout, code_digest("run"), environment_digest()
    )
    record = context.ledger.run(result.run_key)
    assert record.window == tuple(span.digest for span in result.window)
    assert (record.champion, record.trigger.reason) == (None, "test")
    assert outcome.summary.good == 4
    assert outcome.summary.quarantined == outcome.summary.errors == 0
    assert context.store.get(outcome.reports["data_report"].digest).startswith(b"<!DOCTYPE html>")
    assert result.columns["fare_amount"] == "float"
    assert context.ledger.quarantined(spec.name, rules_digest(spec)) == {}
    again = perform(order, context)
    assert again.cached
    assert again.result == outcome.result


def test_a_bad_span_is_quarantined_and_recorded(order_for, four, context):
    four["2018-03"] = times(four["2018-03"], 1000)
    order = order_for(four)
    outcome = perform(order, context)
    (news,) = outcome.news
    assert (news.kind, news.what, news.report) == (
        "quarantined",
        "2018-03 is left out",
        "data_report",
    )
    assert news.why.startswith("2018-03: UNIT-CHANGE. 2018-03: ")
    assert perform(order, context).news == ()
    result = result_of(outcome, context)
    assert [span.name for span in result.quarantined] == ["2018-03"]
    assert [span.name for span in (*result.window, *result.holdout)] == [
        "2018-01",
        "2018-02",
        "2018-04",
    ]
    rules = rules_digest(order.pipeline)
    bad = context.ledger.quarantined(order.pipeline.name, rules)
    assert bad.keys() == {result.quarantined[0].digest}
    page = context.store.get(result.report.digest).decode()
    assert "Why spans were quarantined" in page
    assert "UNIT-CHANGE" in page


def test_the_copy_of_a_good_span_is_left_out_but_not_its_content(order_for, four, context):
    four["2018-04"] = four["2018-03"]
    order = order_for(four)
    outcome = perform(order, context)
    result = result_of(outcome, context)
    assert outcome.news == ()  # plan will list it again and again
    assert [span.name for span in result.quarantined] == ["2018-04"]
    assert "2018-03" in {span.name for span in (*result.window, *result.holdout)}
    assert not context.ledger.quarantined(order.pipeline.name, rules_digest(order.pipeline))


def test_too_few_good_spans_stop_and_are_still_recorded(order_for, four, context):
    two = {name: four[name] for name in ("2018-01", "2018-02")}
    two["2018-02"] = times(two["2018-02"], 1000)
    order = order_for(two)
    told = []
    for _ in range(2):  # a cache hit stops too
        with pytest.raises(
            AllRefused,
            match=r"VALIDATE-TOO-FEW trips: at least 1 good span to "
            r"train on and 1 to judge on; 1 of 2 is good, quarantined: 2018-02 "
            r"\(UNIT-CHANGE\)",
        ) as stopped:
            perform(order, context)
        ended = Ended.model_validate_json(stopped.value.document)
        assert ended.nothing_to_do == stopped.value.line
        assert "data_report" in ended.reports
        told.append([news.what for news in ended.news])
    assert told == [["2018-02 is left out"], []]
    assert context.ledger.quarantined(order.pipeline.name, rules_digest(order.pipeline))
    assert context.ledger.runs(order.pipeline.name, 10) == []
    ends = context.ledger.evaluations(order.pipeline.name)
    assert [(end.stage, end.decision) for end in ends] == [("end", "skip")] * 2
    assert {end.because for end in ends} == {ended.nothing_to_do}


def test_a_leak_everywhere_is_the_specs_fault_and_quarantines_nothing(order_for, four, context):
    leaking = {
        name: table.append_column("fare_cents", pc.multiply(table.column("fare_amount"), 100.0))
        for name, table in four.items()
    }
    order = order_for(leaking)
    with pytest.raises(SourceError, match=r"TARGET-LEAK trips: .*'fare_cents'.*features\.drop"):
        perform(order, context)
    assert not context.ledger.quarantined(order.pipeline.name, rules_digest(order.pipeline))


def test_no_old_span_is_read_again(order_for, months, context, monkeypatch):
    names = list(months)
    first = result_of(perform(order_for({n: months[n] for n in names[:3]}), context), context)
    read = []
    local = type(context.store).local
    monkeypatch.setattr(
        type(context.store),
        "local",
        lambda store, digest, scratch: read.append(digest) or local(store, digest, scratch),
    )
    second = result_of(perform(order_for({n: months[n] for n in names[:4]}), context), context)
    new = second.holdout[0].digest
    assert set(read) == {new}
    for name, artifact in first.statistics.items():
        assert second.statistics[name] == artifact
        value = SpanStatistics.model_validate_json(context.store.get(artifact.digest))
        assert value.rows == 10_000


def test_the_result_is_the_same_bytes_anywhere(order_for, four, context, settings):
    from everfit.storage.store import open_store

    order = order_for(four)
    here = perform(order, context)
    elsewhere = replace(context, store=open_store("memory://validate-test"))
    for digests in order.upstream.values():
        for digest in digests:
            elsewhere.store.put("x", context.store.get(digest))
    request = Validate().request(order, Upstream(order, context), context)
    for span in request.spans:
        elsewhere.store.put("x", context.store.local(span.digest, context.scratch))
    there = perform(order, elsewhere)
    assert not there.cached
    assert there.result == here.result
    assert not list(context.scratch.iterdir())


def test_a_table_of_one_file_is_judged_by_rows(context, tmp_path, make_spec, read_csv):
    spec = make_spec(
        task="multiclass", target="species", time=None, features={}, holdout={"fraction": 0.2}
    )
    path = tmp_path / "p.parquet"
    pq.write_table(read_csv("penguins/penguins.csv"), path)
    artifact = context.store.put("p.parquet", path)
    request = ValidateRequest(
        pipeline=spec,
        code="0" * 64,
        environment="0" * 64,
        spans=(Span(name="penguins", digest=artifact.digest, rows=334, size=artifact.size),),
    )
    result = Validate().run(request, context)
    assert (len(result.window), result.holdout, result.stop) == (1, (), None)
    assert result.columns["species"] == "integer"


def test_spans_of_no_snapshot_stop(context, make_spec):
    request = ValidateRequest(pipeline=make_spec(), spans=(), code="0" * 64, environment="0" * 64)
    result = Validate().run(request, context)
    assert result.stop.code == "VALIDATE-TOO-FEW"
    assert not result.columns
