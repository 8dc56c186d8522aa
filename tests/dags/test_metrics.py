"""What a component tells of itself reaches a StatsD server and an OpenTelemetry collector."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from airflow.sdk._shared.observability.metrics.stats import _get_backend
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

from everfit.contracts.messages.steps import Outcome
from everfit.contracts.spec.load import load_spec
from everfit_airflow.observability import metrics
from everfit_airflow.observability.metrics import measured, send_metrics
from tests.dags.conftest import REPOSITORY
from tests.summaries import summary

LINE = "SOURCE trips.csv: must be CSV; it is a zip. Correct its suffix."


def outcome(component: str, cached: bool = False, **further) -> Outcome:
    return Outcome(
        component=component,
        result="ab" * 32,
        key="cd" * 32,
        cached=cached,
        seconds=1.0,
        summary=summary(component, **further),
    )


class Statsd:
    """A StatsD server: what is sent to a UDP socket."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(20)
        self.port = self._socket.getsockname()[1]

    def heard(self) -> list[str]:
        """All that was sent so far; a mark of its own ends it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.sendto(b"end", ("127.0.0.1", self.port))
        found = []
        while (line := self._socket.recv(4096).decode()) != "end":
            found.append(line)
        return sorted(found)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def statsd(monkeypatch):
    """Airflow's metrics go to a StatsD server."""
    server = Statsd()
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(server.port))
    stats.initialize(factory=get_stats_factory(), export_legacy_names=True)
    yield server
    hang_up()
    monkeypatch.undo()
    stats.initialize(factory=get_stats_factory(), export_legacy_names=True)
    server.close()


def hang_up() -> None:
    """Close the client's socket, which Airflow leaves to the process's end."""
    _get_backend().statsd.close()


@pytest.fixture
def spec(folder):
    return load_spec(folder / "fares.yaml")


def test_a_component_tells_time_queue_rows_and_end(statsd, spec):
    send_metrics("extract", spec, outcome("extract", rows=1200, spans=3), 2.5, 0.25, "done")
    assert statsd.heard() == [
        "airflow.everfit.component.duration.fares.extract:2500.000000|ms",
        "airflow.everfit.component.ended.fares.extract.done:1|c",
        "airflow.everfit.component.queued.fares.extract:250.000000|ms",
        "airflow.everfit.component.rows.fares.extract:1200.0|g",
    ]


def test_tags_are_sent_where_the_server_takes_them(statsd, spec, monkeypatch):
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    hang_up()
    stats.initialize(factory=get_stats_factory(), export_legacy_names=True)
    send_metrics("gate", spec, outcome("gate", verdict="reject"), 1, None, "done")
    assert (
        "airflow.everfit.verdict,pipeline=fares,component=gate,verdict=reject:1|c" in statsd.heard()
    )


def test_a_verdict_counts_once(statsd, spec):
    send_metrics("gate", spec, outcome("gate", verdict="promote"), 1, None, "done")
    send_metrics("gate", spec, outcome("gate", cached=True, verdict="promote"), 1, None, "done")
    heard = statsd.heard()
    assert heard.count("airflow.everfit.verdict.fares.gate.promote:1|c") == 1
    assert heard.count("airflow.everfit.component.cache_hit.fares.gate:1|c") == 1


def test_drift_and_decay_are_gauges(statsd, spec):
    left = outcome(
        "monitor",
        inputs=0.31,
        drifted=["miles", "zone"],
        rises=[
            {"metric": "mae", "worse": -0.2},
            {"metric": "mae", "worse": 0.4, "source": "estimate"},
            {"metric": "mae", "worse": 0.1, "source": "as_served"},
        ],
        because="fine",
    )
    send_metrics("monitor", spec, left, 1, None, "done")
    heard = statsd.heard()
    for line in (
        "everfit.drift.score.fares.monitor:0.31|g",
        "everfit.drift.columns.fares.monitor:2|g",
        "everfit.champion.worse.fares.monitor.mae_estimate:0.4|g",
        "everfit.champion.worse.fares.monitor.mae_as_served:0.1|g",
        "everfit.champion.worse.fares.monitor.mae:-0.2|g",
    ):
        assert any(line in sent for sent in heard), (line, heard)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (LINE, "SOURCE"),
        ("STORE-UNAVAILABLE s3://b: must answer; it does not. Try again.", "STORE-UNAVAILABLE"),
        ("SIGNING-KEY: the private key must be one.", "SIGNING-KEY"),
        ("Killed by somebody", "NONE"),
        ("", "NONE"),
    ],
)
def test_a_failure_counts_by_its_code(statsd, spec, line, code):
    send_metrics("extract", spec, None, 1, None, "failed", line)
    heard = statsd.heard()
    assert f"airflow.everfit.component.failed.fares.extract.{code}:1|c" in heard
    assert "airflow.everfit.component.ended.fares.extract.failed:1|c" in heard


def test_what_a_spec_could_say_is_one_part_of_a_name(statsd, spec):
    left = outcome("monitor", rises=[{"metric": "a.b c", "worse": 1}])
    send_metrics("monitor", spec, left, 1, None, "done")
    assert "airflow.everfit.champion.worse.fares.monitor.a_b_c:1.0|g" in statsd.heard()


def test_without_a_summary_there_are_time_and_end_alone():
    left = outcome("monitor", inputs=0.3).model_copy(update={"summary": None})
    names = {metric.name for metric in measured(left, 1, None, "done")}
    assert names == {"everfit.component.ended", "everfit.component.duration"}


def test_no_task_fails_for_a_number(monkeypatch, spec):
    def broken(*_):
        raise OSError("no such host")

    monkeypatch.setattr(metrics, "_emit", broken)
    send_metrics("extract", spec, outcome("extract"), 1, None, "done")


def test_nothing_is_told_where_airflow_tells_nothing(spec):
    send_metrics("extract", spec, outcome("extract", rows=3), 1, None, "done")


COLLECTED = """
import sys
sys.path[:0] = [{root!r}, {plugins!r}]
import os
from pathlib import Path
from airflow.sdk._shared.observability.metrics.stats import _get_backend
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory
from everfit_airflow.observability.metrics import send_metrics
from everfit.contracts.spec.load import load_spec
from everfit.contracts.messages.steps import Outcome
stats.initialize(factory=get_stats_factory(), export_legacy_names=True)
left = Outcome(component="gate", result="ab" * 32, key="cd" * 32, cached=False, seconds=1.0,
               summary={{"component": "gate", "verdict": "hold"}})
send_metrics("gate", load_spec(Path({spec!r})), left, 1.5, None, "done")
os._exit(0)  # as Airflow ends the process of a task
"""


def test_an_opentelemetry_collector_hears_it_before_the_task_is_gone(folder):
    """Over OTLP, from a process that ends as a task's does: without a last export of its own."""
    bodies: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        text = COLLECTED.format(
            root=str(REPOSITORY),
            plugins=str(REPOSITORY / "plugins"),
            spec=str(folder / "fares.yaml"),
        )
        subprocess.run(
            [sys.executable, "-c", text],
            env={
                **os.environ,
                "AIRFLOW__METRICS__OTEL_ON": "True",
                "AIRFLOW__METRICS__OTEL_HOST": "127.0.0.1",
                "AIRFLOW__METRICS__OTEL_PORT": str(server.server_port),
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": (
                    f"http://127.0.0.1:{server.server_port}/v1/metrics"
                ),
                "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            },
            check=True,
            capture_output=True,
            timeout=120,
        )
    finally:
        server.shutdown()
        server.server_close()
    sent = b"".join(bodies)
    assert b"everfit.verdict" in sent
    assert b"hold" in sent
    assert b"fares" in sent


def test_every_metric_is_documented():
    """Names and tags of the code stand in the table of the docs."""
    text = Path(REPOSITORY, "docs", "how-to", "production.md").read_text()
    everything = [
        *measured(outcome("gate"), 1, 1, "failed"),
        *measured(outcome("gate", cached=True), 1, 1, "done"),
        *measured(outcome("extract"), 1, 1, "done"),
        *measured(outcome("monitor", rises=[{"metric": "mae", "worse": 1}]), 1, 1, "done"),
    ]
    assert len({metric.name for metric in everything}) == 10
    for metric in everything:
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{metric.name}`")]
        if metric.detail:
            assert f"`{metric.detail[0]}`" in row, json.dumps(row)
