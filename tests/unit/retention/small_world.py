"""A store and a ledger that pipelines have lived in, written by hand, with what everything made.

Its documents have the shapes that matter: they name artifacts, and each other, by digest.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest

from everfit.contracts.base import canonical_json, digest_of
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.planning import ChampionRef, Trigger
from everfit.engine.progress import LogProgress
from everfit.operations.retention.census import Census
from everfit.operations.retention.survey import Survey, survey
from everfit.operations.retention.sweep import Swept, sweep
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.databases import open_connection
from everfit.storage.ledger.records import (
    MonitorRecord,
    PromotionRecord,
    RunRecord,
    SpanRecord,
    VerdictRecord,
    VersionRecord,
)
from everfit.storage.ledger.schema import bring_up_to_date
from everfit.storage.store import Store, memory, open_store, result_key

START = datetime(2026, 1, 1, tzinfo=UTC)
NUMBERS = itertools.count()


@dataclass
class Made:
    """A run and every blob that it made or read."""

    key: str
    day: float
    blobs: set[str] = field(default_factory=set)
    results: list[str] = field(default_factory=list)
    version: int | None = None


@dataclass
class SmallWorld:
    """Several pipelines over one store; ``day`` is the clock of both."""

    store: Store
    ledger: Ledger
    start: datetime = START
    day: float = 0.0
    runs: dict[str, list[Made]] = field(default_factory=dict)
    newest: dict[tuple[str, str], str] = field(default_factory=dict)
    """Pipeline and span → its newest snapshot."""
    measured: list[tuple[str, str, float, str, set[str]]] = field(default_factory=list)
    """Pipeline, champion, day, document, pages."""
    put: dict[str, float] = field(default_factory=dict)
    """Blob → the day it was last put."""

    def now(self) -> datetime:
        return self.start + timedelta(days=self.day)

    def blob(self, name: str, content: Any) -> Artifact:
        data = content if isinstance(content, bytes) else canonical_json(content)
        artifact = self.store.put(name, data)
        self.put[artifact.digest] = self.day
        return artifact

    def fresh(self, name: str) -> Artifact:
        """A blob like no other; a table, a model or a page to people."""
        return self.blob(name, b"PAR1 %d" % next(NUMBERS))

    def result(self, made: Made, step: str, document: dict[str, Any]) -> str:
        """A step's result: under its content key, and as a document of its own."""
        key = result_key(step, digest_of([made.key, step]))
        self.store.create(key, canonical_json(document))
        digest = self.blob(f"{step}.json", document).digest
        made.results.append(key)
        made.blobs.add(digest)
        return digest

    def arrive(self, pipeline: str, span: str) -> None:
        """A span, or a newer state of it."""
        snapshot = self.fresh("snapshot.parquet")
        self.newest[pipeline, span] = snapshot.digest
        self.ledger.record_span(
            pipeline,
            SpanRecord(
                name=span,
                fingerprint=snapshot.digest,
                reader="0" * 64,
                digest=snapshot.digest,
                snapshot={"any": "thing"},
            ),
        )

    def champion(self, pipeline: str) -> ChampionRef | None:
        head = self.ledger.champion(pipeline)
        if head is None:
            return None
        record = self.ledger.version(head.run_key)
        assert record is not None
        return record.champion

    def train(self, pipeline: str, verdict: str) -> Made:
        """A run from its spans to its verdict, and to a version where it is accepted."""
        window = [d for (name, _), d in sorted(self.newest.items()) if name == pipeline]
        made = Made(digest_of([pipeline, next(NUMBERS)]), self.day, set(window))
        champion = self.champion(pipeline)
        self.ledger.open_run(
            pipeline,
            RunRecord(
                run_key=made.key,
                spec="1" * 64,
                window=tuple(window),
                holdout=(),
                code="2" * 64,
                environment="3" * 64,
                seed=0,
                champion=champion,
                trigger=Trigger(),
            ),
        )
        train, model = self.fresh("train.parquet"), self.fresh("linear.skops")
        picture, report = self.fresh("scores.svg"), self.fresh("decision_report.html")
        prepared = {"run_key": made.key, "train": train.model_dump()}
        evaluated = {"candidate": {"model": model.model_dump()}, "plots": [picture.model_dump()]}
        told = self.blob(
            "decision_report.json",
            {"model": model.digest, "training_table": train.digest, "run": made.key},
        )
        decision = {"report_json": told.model_dump(), "report_html": report.model_dump()}
        made.blobs |= {one.digest for one in (train, model, picture, report, told)}
        upstream = {
            "prepare": self.result(made, "prepare", prepared),
            "evaluate": self.result(made, "evaluate", evaluated),
            "gate": self.result(made, "gate", decision),
        }
        self.ledger.record_verdict(
            VerdictRecord(
                run_key=made.key, verdict=verdict, because="because", decision=upstream["gate"]
            )
        )
        if verdict == "promote":
            self._register(pipeline, made, upstream, model, train)
        self.runs.setdefault(pipeline, []).append(made)
        return made

    def _register(
        self,
        pipeline: str,
        made: Made,
        upstream: dict[str, str],
        model: Artifact,
        train: Artifact,
    ) -> None:
        code = self.fresh("code.tar")
        dossier = self.blob(
            "dossier.json",
            {"upstream": upstream, "code": code.model_dump(), "request": {"run": made.key}},
        )
        self.store.create(result_key("dossier", made.key), canonical_json(dossier))
        made.blobs |= {dossier.digest, code.digest}
        self.ledger.intend_registration(pipeline, made.key)
        made.version = len(self.ledger.versions(pipeline)) + 1
        self.ledger.record_version(
            pipeline,
            VersionRecord(
                run_key=made.key,
                version=made.version,
                mlflow_run="r",
                dossier=dossier.digest,
                champion=ChampionRef(
                    version=made.version,
                    run_key=made.key,
                    model=model,
                    train=train,
                    window=(),
                    sequence=0,
                ),
            ),
        )
        self.promote(pipeline, made)

    def promote(self, pipeline: str, made: Made) -> None:
        """Also back to a version that was champion before."""
        head = self.ledger.champion(pipeline)
        assert made.version is not None
        self.ledger.promote(
            pipeline,
            PromotionRecord(
                sequence=head.sequence + 1 if head else 1,
                version=made.version,
                run_key=made.key,
                kind="promote",
                reason="",
            ),
        )

    def monitor(self, pipeline: str) -> None:
        """Evaluate the champion on something, with a page and a page of Evidently's."""
        champion = self.champion(pipeline)
        if champion is None:
            return
        page, drift = self.fresh("monitor_report.html"), self.fresh("drift.json")
        document = self.blob(
            "monitor.json", {"page": page.model_dump(), "drift": drift.model_dump()}
        )
        self.ledger.record_monitoring(
            pipeline,
            MonitorRecord(
                champion=champion.run_key,
                version=champion.version,
                span=drift.digest,
                name="s",
                rows=1,
                asked="4" * 64,
                state="measured",
                inputs=0.0,
                columns=0.0,
                strongest=(),
                rises=(),
                because="",
                document=document.digest,
            ),
        )
        pages = {page.digest, drift.digest}
        self.measured.append((pipeline, champion.run_key, self.day, document.digest, pages))
        shown = self.fresh("drift_report.html")
        told = {"report": shown.model_dump(), "because": "rows"}
        self.store.create(result_key("drift_report_page", digest_of(told)), canonical_json(told))
        self.blob("drift_report.json", {**told, "page": page.model_dump()})

    def rerun(self, made: Made) -> None:
        """A run again, of which everything that is still cached is found."""
        for key in made.results:
            if (found := self.store.reuse(key)) is not None:
                self.put[self.store.put("again.json", found).digest] = self.day
                made.day = max(made.day, self.day)

    def needed(self, since: datetime) -> set[str]:
        """What has to stay, by what is known of who made what: the oracle."""
        day = (since - self.start) / timedelta(days=1)
        keep = set(self.newest.values()) | {one for one, when in self.put.items() if when >= day}
        for made in itertools.chain.from_iterable(self.runs.values()):
            if made.version is not None or made.day >= day:
                keep |= made.blobs
        for pipeline, champion, when, document, pages in self.measured:
            keep.add(document)
            head = self.ledger.champion(pipeline)
            if when >= day or (head and head.run_key == champion):
                keep |= pages
        return keep

    def blobs(self) -> set[str]:
        return {key.rpartition("/")[2] for key in self.store.keys("blobs/")}

    def dangling(self) -> list[tuple[str, str]]:
        """Results that name a blob which is not there, and was once: a cache that would fail."""
        gone = {r.digest for p in ("", *self.ledger.pipelines()) for r in self.ledger.removals(p)}
        there = self.blobs()
        census = Census(self.store, LogProgress())
        census.take()
        return [
            (key, digest)
            for key in census.results
            for digest in sorted(census.of_result(key).digests & gone - there)
        ]

    def surveyed(self, days: float, only: str | None = None) -> tuple[Survey, Any, Census]:
        census = Census(self.store, LogProgress())
        census.take()
        since = self.now() - timedelta(days=days)
        found, reach = survey(self.ledger, census, self.ledger.pipelines(), since, only)
        return found, reach, census

    def pruned(self, days: float, only: str | None = None) -> Swept:
        found, reach, census = self.surveyed(days, only)
        since = self.now() - timedelta(days=days)
        return sweep(found, reach, census, self.ledger, since, "test", LogProgress())


@contextmanager
def small_world(store: Store | None = None) -> Iterator[SmallWorld]:
    """An empty one, whose store and ledger go by its own days.

    Parameters
    ----------
    store : Store, optional
        One that has a clock of its own: the world then begins today.
    """
    worlds: list[SmallWorld] = []

    def now() -> datetime:
        return worlds[0].now() if worlds else START

    connection = open_connection("sqlite://")
    empty_ledger().backup(connection._database)  # type: ignore[attr-defined]
    ledger = Ledger(connection, now)
    with pytest.MonkeyPatch.context() as patch:
        if store is None:
            patch.setattr(memory, "time", SimpleNamespace(time=lambda: now().timestamp()))
            worlds.append(SmallWorld(open_store(f"memory://small{next(NUMBERS)}"), ledger))
        else:
            worlds.append(SmallWorld(store, ledger, datetime.now(UTC)))
        yield worlds[0]
    connection.close()


@cache
def empty_ledger() -> sqlite3.Connection:
    """Migrated once, to be copied: migrations cost more than all the rest."""
    connection = open_connection("sqlite://")
    bring_up_to_date(connection)
    database: sqlite3.Connection = connection._database  # type: ignore[attr-defined]
    return database
