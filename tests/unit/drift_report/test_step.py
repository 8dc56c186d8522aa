"""The evaluation in MLflow, by each way to it: complete, once, and fixed where it is lost."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from everfit.contracts.errors import RequestError
from everfit.contracts.messages.monitoring import DriftReportResult, MonitorResult
from everfit.contracts.messages.spans import Snapshot
from everfit.contracts.messages.steps import Order
from everfit.engine.upstream import Upstream
from everfit.steps.drift_report.run_log import metrics, monitor_key
from everfit.steps.drift_report.step import DriftReport
from everfit.storage.ledger.records import MonitorRecord, SpanRecord, VersionRecord
from everfit.storage.mlflow import MONITOR_KEY, open_registry
from tests.unit.register.small_run import SPEC
from tests.unit.registry.served import mlflow_server

# MLflow's own store, on the SQLAlchemy that is pinned here.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload``:DeprecationWarning")


@pytest.fixture
def not_drawn(monkeypatch):
    """Evidently's part is tested elsewhere; a small page stands for it."""
    monkeypatch.setattr(
        "everfit.steps.drift_report.report.make_page.evidently_page",
        lambda *_: b"<!DOCTYPE html>drawn",
    )


def reader(context):
    from mlflow import MlflowClient

    return MlflowClient(context.settings.mlflow, context.settings.mlflow)


@pytest.mark.parametrize("way", ["file", "client", "server"])
def test_mlflow_reads_one_run_with_scores_and_pages(
    way, request, tmp_path_factory, context, asked, not_drawn, monkeypatch
):
    if way == "server":
        stack = ExitStack()
        request.addfinalizer(stack.close)
        address = stack.enter_context(mlflow_server(tmp_path_factory.mktemp("server")))
        settings = context.settings.model_copy(update={"mlflow": address})
        context = replace(context, settings=settings)
    elif way == "client":
        monkeypatch.setattr("everfit.storage.mlflow.sqlite.REVISIONS", frozenset())
    evaluated = asked()
    result = DriftReport().run(evaluated, context)
    assert DriftReport().run(evaluated, context) == result
    client = reader(context)
    (run,) = client.search_runs([client.get_experiment_by_name("fares.monitor").experiment_id])
    assert (run.info.run_id, run.info.status) == (result.mlflow_run, "FINISHED")
    assert run.data.tags[MONITOR_KEY] == monitor_key(evaluated, evaluated.evaluation)
    assert run.data.tags["everfit.drifted"] == "miles"
    assert run.data.metrics["drift/miles"] == 1.0
    assert run.data.metrics["mae_worse"] == 0.4
    assert len(client.get_metric_history(run.info.run_id, "mae_worse")) == 1
    (read,) = run.inputs.dataset_inputs
    assert read.dataset.digest == evaluated.evaluation.span.digest[:36]
    files = {item.path for item in client.list_artifacts(run.info.run_id, "reports")}
    assert files == {"reports/monitor_report.html", "reports/drift_report.html"}


@pytest.mark.parametrize("way", ["file", "client"])
def test_every_span_evaluated_is_a_run_of_its_own(
    way, context, asked, snapshot, not_drawn, monkeypatch
):
    if way == "client":
        monkeypatch.setattr("everfit.storage.mlflow.sqlite.REVISIONS", frozenset())
    request = asked()
    before = tuple(
        request.evaluation.model_copy(
            update={"span": snapshot(name, {"miles": [float(number)]}), "because": name}
        )
        for number, name in enumerate(("2018-12b.csv", "2018-12c.csv"))
    )
    request = request.model_copy(update={"before": before})
    result = DriftReport().run(request, context)
    assert DriftReport().run(request, context) == result
    with open_registry(context.settings, "fares") as registry:
        runs = registry.runs("fares.monitor", MONITOR_KEY)
    assert sorted(run.tags["everfit.span"] for run in runs) == [
        "2018-12b.csv",
        "2018-12c.csv",
        "2019-01.csv",
    ]
    assert {run.status for run in runs} == {"FINISHED"}
    (newest,) = (run for run in runs if run.tags["everfit.span"] == "2019-01.csv")
    assert newest.run == result.mlflow_run


def test_it_is_no_training_run(context, asked, not_drawn):
    DriftReport().run(asked(), context)
    with open_registry(context.settings, "fares") as registry:
        assert registry.runs("fares") == []
        assert registry.versions("fares") == []


def test_an_artifact_that_was_lost_comes_back(context, asked, not_drawn):
    request = asked()
    result = DriftReport().run(request, context)
    (page,) = context.settings.home.glob("mlartifacts/*/*/artifacts/reports/drift_report.html")
    page.unlink()
    assert DriftReport().run(request, context) == result
    assert page.read_bytes() == b"<!DOCTYPE html>drawn"


def test_labels_that_arrive_late_make_a_run_of_their_own(context, asked, not_drawn):
    estimated, measured = asked(rises=()), asked()
    assert monitor_key(estimated, estimated.evaluation) != monitor_key(
        measured, measured.evaluation
    )
    first, second = DriftReport().run(estimated, context), DriftReport().run(measured, context)
    assert first.mlflow_run != second.mlflow_run


def test_a_page_once_made_is_found_and_ours_is_made_anew(context, asked, not_drawn, monkeypatch):
    request = asked()
    made = DriftReport().run(request, context)
    monkeypatch.setattr(
        "everfit.steps.drift_report.report.make_page.make_page",
        lambda *_: pytest.fail("made again"),
    )
    assert DriftReport().run(request, context) == made


def test_an_estimate_is_no_metric_of_a_measurement(asked):
    (rise,) = asked().evaluation.rises
    guessed = rise.model_copy(update={"estimated": True, "low": float("-inf")})
    served = rise.model_copy(update={"source": "logged"})
    found = dict(metrics(asked(rises=(guessed, served)).evaluation))
    assert found["mae_worse_estimated"] == 0.4
    assert found["mae_worse_low_served"] == 0.3
    assert "mae_worse" not in found
    assert "mae_worse_low_estimated" not in found


def recorded(context, request) -> Upstream:
    """A ledger that knows champion, spans and evaluation; monitor's result upstream."""
    for span in request.reference:
        context.ledger.record_span(
            "fares",
            SpanRecord(
                name=span.name,
                fingerprint="f",
                reader="c" * 64,
                digest=span.digest,
                snapshot=Snapshot(span=span, fingerprint="f", provenance={}).model_dump(),
            ),
        )
    context.ledger.record_version(
        "fares",
        VersionRecord(
            run_key=request.champion.run_key, version=3, mlflow_run="m", champion=request.champion
        ),
    )
    context.ledger.record_monitoring(
        "fares",
        MonitorRecord(
            champion=request.champion.run_key,
            version=3,
            span=request.evaluation.span.digest,
            name=request.evaluation.span.name,
            rows=1,
            asked="e" * 64,
            state="measured",
            inputs=1.0,
            columns=1.0,
            strongest=(),
            rises=(),
            because="",
            document="e" * 64,
        ),
    )
    result = MonitorResult(
        champion=3,
        evaluations=(*request.before, request.evaluation),
        drift=request.drift,
        page=request.page,
    )
    stored = context.store.put("monitor.json", result.model_dump_json().encode())
    order = Order(component="drift_report", pipeline=SPEC, upstream={"monitor": (stored.digest,)})
    return Upstream(order, context)


def test_the_request_is_the_evaluations_and_the_champions_window(context, asked):
    request = asked()
    request = request.model_copy(update={"before": (request.evaluation,) * 2})
    upstream = recorded(context, request)
    order = Order(component="drift_report", pipeline=SPEC)
    assert DriftReport().request(order, upstream, context) == request


def test_the_run_bears_the_time_the_span_was_measured(context, asked, not_drawn):
    request = asked()
    recorded(context, request)
    (record,) = context.ledger.monitorings("fares")
    run = reader_run(context, DriftReport().run(request, context))
    assert record.at.startswith(str(run["start"]))


def reader_run(context, result) -> dict[str, object]:
    from datetime import UTC, datetime

    run = reader(context).get_run(result.mlflow_run)
    started = datetime.fromtimestamp(run.info.start_time / 1000, UTC)
    return {"start": started.isoformat()[:19]}


def test_a_champion_the_ledger_does_not_know_is_refused(context, asked):
    result = MonitorResult(
        champion=9, evaluations=(asked().evaluation,), drift=asked().drift, page=asked().page
    )
    stored = context.store.put("monitor.json", result.model_dump_json().encode())
    order = Order(component="drift_report", pipeline=SPEC, upstream={"monitor": (stored.digest,)})
    with pytest.raises(RequestError, match="DRIFT-REPORT-CHAMPION"):
        DriftReport().request(order, Upstream(order, context), context)


def test_people_are_told_what_was_left_out_and_where_the_pages_are(context, asked, not_drawn):
    made = DriftReport().run(asked(), context)
    result = made.model_copy(update={"left_out": ("riders: no value",)})
    told = DriftReport().report(result, context)
    assert told.summary.evidently is True
    assert told.summary.left_out == "riders"
    assert set(told.reports) == {"drift_report", "monitor_report"}
    assert told.links == {}  # no page of MLflow's is known
    assert DriftReportResult.model_validate_json(result.model_dump_json()) == result
    assert Path(context.settings.home, "mlflow.db").exists()
