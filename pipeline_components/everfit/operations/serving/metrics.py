"""What the server counts, in Prometheus' text format."""

from __future__ import annotations

import os
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from everfit.operations.serving.answer import Answer
from everfit.operations.serving.loaded import LoadedVersion

SHARED_IN = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder where several processes keep their numbers; set before this is imported."""

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper limits of the latency histogram, in seconds."""


class Metrics:
    """The counters of one server, of all its processes."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        self._children: dict[tuple[int, tuple[str, ...]], Any] = {}
        of = ["pipeline"]
        self._requests = Counter(
            "everfit_serve_requests", "Requests by status.", [*of, "status"], registry=registry
        )
        self._seconds = Histogram(
            "everfit_serve_request_seconds",
            "From the head of a request to its answer.",
            of,
            buckets=BUCKETS,
            registry=registry,
        )
        self._model_seconds = Histogram(
            "everfit_serve_model_seconds",
            "Of that, the prediction.",
            of,
            buckets=BUCKETS,
            registry=registry,
        )
        self._rows = Counter("everfit_serve_rows", "Rows predicted.", of, registry=registry)
        self._missing = Counter(
            "everfit_serve_missing_values", "Missing inputs.", [*of, "column"], registry=registry
        )
        self._unseen = Counter(
            "everfit_serve_unseen_values",
            "Texts that training never saw.",
            [*of, "column"],
            registry=registry,
        )
        self._version = Gauge(
            "everfit_serve_version_info",
            "1 for the version that answers.",
            [*of, "version", "model"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._number = Gauge(
            "everfit_serve_version",
            "Number of the version that answers.",
            of,
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self._by_row = Gauge(
            "everfit_serve_compiled",
            "1 where the version that answers predicts a few rows without a table.",
            of,
            multiprocess_mode="livemin",
            registry=registry,
        )
        self._switches = Counter(
            "everfit_serve_switches", "Changes of version.", of, registry=registry
        )
        self._behind = Gauge(
            "everfit_serve_behind",
            "1 where the ledger's champion cannot be served and the one before answers.",
            of,
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._reachable = Gauge(
            "everfit_serve_reachable",
            "1 where the ledger or the store answered when it was last asked.",
            ["what"],
            multiprocess_mode="livemin",
            registry=registry,
        )

        self._logged = Counter(
            "everfit_serve_logged_rows",
            "Rows of the prediction log: written, without_key, dropped.",
            [*of, "outcome"],
            registry=registry,
        )

    def text(self) -> bytes:
        """All of them."""
        if SHARED_IN not in os.environ:
            return generate_latest(self._registry)
        of_all = CollectorRegistry()
        MultiProcessCollector(of_all)  # type: ignore[no-untyped-call]
        return generate_latest(of_all)

    def _of(self, metric: Any, *labels: str) -> Any:
        """The child of a metric; looking it up there costs more than counting."""
        key = (id(metric), labels)
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = metric.labels(*labels)
        return found

    def request(self, pipeline: str, status: int, seconds: float) -> None:
        """Count a request; one for a pipeline that there is not has no name."""
        self._of(self._requests, pipeline, str(status)).inc()
        self._of(self._seconds, pipeline).observe(seconds)

    def answered(self, answer: Answer) -> None:
        """Count the rows of an answer and what was strange about them."""
        name = answer.loaded.pipeline
        self._of(self._rows, name).inc(len(answer.scores))
        self._of(self._model_seconds, name).observe(answer.seconds)
        for counter, counts in ((self._missing, answer.missing), (self._unseen, answer.unseen)):
            for column, number in counts.items():
                counter.labels(name, column).inc(number)

    def logged(self, pipeline: str, outcome: str, rows: int) -> None:
        """Count rows of the prediction log."""
        self._logged.labels(pipeline, outcome).inc(rows)

    def switched(self, old: LoadedVersion | None, new: LoadedVersion) -> None:
        """Say which version answers from now on."""
        if old is not None:
            before = (old.pipeline, str(old.version), old.artifact.digest)
            self._version.labels(*before).set(0)
            if SHARED_IN not in os.environ:
                self._version.remove(*before)
            self._switches.labels(new.pipeline).inc()
        self._version.labels(new.pipeline, str(new.version), new.artifact.digest).set(1)
        self._number.labels(new.pipeline).set(new.version)
        self._by_row.labels(new.pipeline).set(new.by_row is not None)

    def behind(self, pipeline: str, is_behind: bool) -> None:
        """Say whether the ledger names a champion that is not the one that answers."""
        self._behind.labels(pipeline).set(is_behind)

    def reachable(self, what: str, is_reachable: bool) -> None:
        """Say whether ``ledger`` or ``store`` answered."""
        self._reachable.labels(what).set(is_reachable)
