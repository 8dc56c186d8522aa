"""What can be recorded and asked. Every record is inserted once; the first one wins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from everfit.contracts.base import Digest
from everfit.contracts.clock import Clock, now
from everfit.contracts.errors import Superseded
from everfit.contracts.messages.evaluations import Cost, EvaluatedRows, HoldoutEvaluation
from everfit.contracts.messages.monitoring_levels import DriftLevel
from everfit.storage.ledger import statements
from everfit.storage.ledger.databases import open_connection
from everfit.storage.ledger.kept import Kept
from everfit.storage.ledger.records import (
    ApprovalRecord,
    EvaluationRecord,
    MonitorRecord,
    PromotionRecord,
    RemovalRecord,
    RunRecord,
    SpanRecord,
    VerdictRecord,
    VersionRecord,
)
from everfit.storage.ledger.schema import bring_up_to_date


class Ledger(Kept):
    """An append-only record, safe to share between processes and machines.

    Every method is one insert that the database itself makes first-wins, one select, or one after
    the other; so a process killed at any point leaves a record whole or absent, and asking again
    with the same record changes nothing. ``record_evaluation`` is the exception: every wake of a
    pipeline is an entry of its own.

    The ledger sets ``at`` of every record itself. Any method raises ``Unavailable`` where the
    database does not answer.
    """

    def pipelines(self) -> tuple[str, ...]:
        """Every pipeline that has a record of a span, a run or a version, sorted."""
        return tuple(sorted(row[0] for row in self._connection.rows(statements.PIPELINES, {})))

    # Spans: what was snapshotted, refused or quarantined.

    def record_span(self, pipeline: str, record: SpanRecord) -> SpanRecord:
        """Record a span once; a snapshot may follow a refusal, and nothing follows a snapshot.

        Returns
        -------
        SpanRecord
            The one that counts from now on.
        """
        self._insert(statements.SPANS, record, pipeline=pipeline)
        return self._one(
            statements.SPANS,
            statements.OF_SPAN,
            pipeline=pipeline,
            name=record.name,
            fingerprint=record.fingerprint,
            reader=record.reader,
        )

    def spans(self, pipeline: str) -> list[SpanRecord]:
        """One record per name, fingerprint and reader, in the order they were first seen."""
        found: dict[tuple[str, str, str], SpanRecord] = {}
        for record in self._select(statements.SPANS, statements.OF_PIPELINE, pipeline=pipeline):
            key = (record.name, record.fingerprint, record.reader)
            if key not in found or found[key].digest is None:
                found[key] = record
        return list(found.values())

    def record_quarantine(
        self, pipeline: str, digest: Digest, rules: Digest, codes: tuple[str, ...]
    ) -> None:
        """Record that a span failed validation under those rules, with the anomalies' codes."""
        self._connection.insert(
            statements.INSERT_QUARANTINE,
            {
                "pipeline": pipeline,
                "digest": digest,
                "rules": rules,
                "codes": ",".join(codes),
                "at": self._now(),
            },
        )

    def quarantined(self, pipeline: str, rules: Digest) -> dict[Digest, tuple[str, ...]]:
        """Spans that failed validation under those rules: digest → the anomalies' codes."""
        rows = self._connection.rows(statements.QUARANTINED, {"pipeline": pipeline, "rules": rules})
        return {row[0]: tuple(filter(None, (row[1] or "").split(","))) for row in rows}

    # Wakes and runs.

    def record_evaluation(self, pipeline: str, record: EvaluationRecord) -> None:
        """Record one wake of a pipeline, also one that came to nothing."""
        self._insert(statements.EVALUATIONS, record, pipeline=pipeline)

    def evaluations(self, pipeline: str, limit: int = 20) -> list[EvaluationRecord]:
        """The last wakes of a pipeline, newest first."""
        return self._select(
            statements.EVALUATIONS, statements.NEWEST, pipeline=pipeline, limit=limit
        )

    def decisions(self, pipeline: str, limit: int = 100) -> list[EvaluationRecord]:
        """The last wakes that came to training or to nothing to train, newest first."""
        return self._select(
            statements.EVALUATIONS, statements.DECISIVE, pipeline=pipeline, limit=limit
        )

    def first_evaluation(self, pipeline: str) -> EvaluationRecord | None:
        """The first look at a pipeline there ever was."""
        return self._first(statements.EVALUATIONS, statements.OLDEST, pipeline=pipeline)

    def record_monitoring(self, pipeline: str, record: MonitorRecord) -> MonitorRecord:
        """Record what was measured of a span, unless it is known; the first is returned."""
        self._insert(statements.MONITORINGS, record, pipeline=pipeline)
        return self._one(
            statements.MONITORINGS,
            statements.OF_ASKED,
            pipeline=pipeline,
            champion=record.champion,
            span=record.span,
            asked=record.asked,
        )

    def monitorings(self, pipeline: str, champion: Digest | None = None) -> list[MonitorRecord]:
        """What was measured, of one champion or of all, in the order it was."""
        if champion is None:
            return self._select(statements.MONITORINGS, statements.OF_PIPELINE, pipeline=pipeline)
        return self._select(
            statements.MONITORINGS, statements.OF_CHAMPION, pipeline=pipeline, champion=champion
        )

    def newest_windows(self) -> dict[str, tuple[str, int]]:
        """Of every pipeline, when its newest window was recorded, and that record's number."""
        rows = self._connection.rows(statements.NEWEST_WINDOWS, {})
        return {str(row[0]): (str(row[1]), int(row[2])) for row in rows}

    def windows_since(self, pipeline: str, after: int) -> list[tuple[str, Digest, DriftLevel]]:
        """Windows of other pipelines recorded later, with what their drift was tested at.

        Parameters
        ----------
        after : int
            Number of a record; see ``newest_windows``.
        """
        rows = self._connection.rows(
            statements.WINDOWS_SINCE, {"pipeline": pipeline, "after": after}
        )
        return [(row[0], row[1], DriftLevel.model_validate_json(row[2])) for row in rows]

    def open_run(self, pipeline: str, record: RunRecord) -> RunRecord:
        """Record a run, unless its run key is known; what was recorded first is returned."""
        self._insert(statements.RUNS, record, pipeline=pipeline)
        return self._one(statements.RUNS, statements.OF_RUN, run_key=record.run_key)

    def run(self, run_key: Digest) -> RunRecord | None:
        """The run of that key."""
        return self._first(statements.RUNS, statements.OF_RUN, run_key=run_key)

    def runs(self, pipeline: str, limit: int = 20) -> list[RunRecord]:
        """The last runs of a pipeline, newest first."""
        return self._select(statements.RUNS, statements.NEWEST, pipeline=pipeline, limit=limit)

    def find_runs(self, pipeline: str, begins: str = "") -> list[RunRecord]:
        """Runs of a pipeline whose key begins so, oldest first; hexadecimal digits only."""
        if begins.strip("0123456789abcdef"):
            return []
        return self._select(
            statements.RUNS, statements.OF_RUNS, pipeline=pipeline, begins=f"{begins}%"
        )

    def record_verdict(self, record: VerdictRecord) -> VerdictRecord:
        """Record the decision about a run, unless there is one; the first is returned."""
        self._insert(statements.VERDICTS, record)
        return self._one(statements.VERDICTS, statements.OF_RUN, run_key=record.run_key)

    def verdict(self, run_key: Digest) -> VerdictRecord | None:
        """The decision about a run."""
        return self._first(statements.VERDICTS, statements.OF_RUN, run_key=run_key)

    def verdicts(self, pipeline: str) -> list[VerdictRecord]:
        """Every decision about runs of the pipeline, in the order they were made."""
        return self._select(statements.VERDICTS, statements.DECIDED, pipeline=pipeline)

    def newest_verdict(self, pipeline: str) -> VerdictRecord | None:
        """The decision made last about a run of the pipeline."""
        return self._first(statements.VERDICTS, statements.NEWEST_DECIDED, pipeline=pipeline)

    # Evaluations on holdouts, what was worked for, who was asked, what was removed.

    def record_holdout_evaluation(self, evaluation: HoldoutEvaluation) -> HoldoutEvaluation | None:
        """Record a run's evaluation on its holdout, unless there is one.

        Returns
        -------
        HoldoutEvaluation or None
            The run's, be it this one or an earlier one; None where another run took the sequence
            number first, so that this evaluation has to be decided on anew.
        """
        self._insert(statements.HOLDOUT_EVALUATIONS, evaluation)
        return self.holdout_evaluation(evaluation.run_key)

    def holdout_evaluation(self, run_key: Digest) -> HoldoutEvaluation | None:
        """The evaluation of a run on its holdout."""
        return self._first(statements.HOLDOUT_EVALUATIONS, statements.OF_RUN, run_key=run_key)

    def holdout_evaluations(self, pipeline: str, target: str) -> list[HoldoutEvaluation]:
        """Every evaluation of a pipeline, and of all pipelines with a target, oldest first."""
        return self._select(
            statements.HOLDOUT_EVALUATIONS,
            statements.OF_PIPELINE_OR_TARGET,
            pipeline=pipeline,
            target=target,
        )

    def record_evaluated_rows(self, rows: EvaluatedRows) -> None:
        """Record by which rows an evaluation is recognized, unless that is known."""
        self._insert(statements.EVALUATED_ROWS, rows)

    def evaluated_rows(self, pipeline: str, target: str, limit: int = 500) -> list[EvaluatedRows]:
        """The rows of the last evaluations of a pipeline and a target, newest first."""
        return self._select(
            statements.EVALUATED_ROWS,
            statements.NEWEST_OF_PIPELINE_OR_TARGET,
            pipeline=pipeline,
            target=target,
            limit=limit,
        )

    def record_cost(self, cost: Cost) -> None:
        """Record what a result has cost, unless it is known."""
        self._insert(statements.COSTS, cost)

    def cost(self, result: Digest) -> Cost | None:
        """What the result of that digest has cost."""
        return self._first(statements.COSTS, statements.OF_RESULT, result=result)

    def record_approval(self, pipeline: str, record: ApprovalRecord) -> ApprovalRecord:
        """Record a person's answer about a run, unless there is one; the first is returned."""
        self._insert(statements.APPROVALS, record, pipeline=pipeline)
        return self._one(statements.APPROVALS, statements.OF_RUN, run_key=record.run_key)

    def approval(self, run_key: Digest) -> ApprovalRecord | None:
        """A person's answer about a run."""
        return self._first(statements.APPROVALS, statements.OF_RUN, run_key=run_key)

    def record_removal(self, pipeline: str, record: RemovalRecord) -> None:
        """Record, before it is done, that an artifact is taken out of the store."""
        self._insert(statements.REMOVALS, record, pipeline=pipeline)

    def removals(self, pipeline: str) -> list[RemovalRecord]:
        """Every artifact that was taken out of the store, in that order."""
        return self._select(statements.REMOVALS, statements.OF_PIPELINE, pipeline=pipeline)

    # Registrations: first the intent, then the version it led to.

    def intend_registration(self, pipeline: str, run_key: Digest) -> None:
        """Record that a version of that run is about to be made in the registry."""
        self._connection.insert(
            statements.INSERT_INTENT, {"pipeline": pipeline, "run_key": run_key, "at": self._now()}
        )

    def unfinished_registrations(self, pipeline: str) -> list[Digest]:
        """Run keys whose intent is recorded and whose version is not, oldest first."""
        rows = self._connection.rows(statements.UNFINISHED, {"pipeline": pipeline})
        return [row[0] for row in rows]

    def record_version(self, pipeline: str, record: VersionRecord) -> VersionRecord:
        """Record the one version of a run, unless there is one; the first is returned."""
        self._insert(statements.VERSIONS, record, pipeline=pipeline)
        return self._one(statements.VERSIONS, statements.OF_RUN, run_key=record.run_key)

    def version(self, run_key: Digest) -> VersionRecord | None:
        """The version of a run."""
        return self._first(statements.VERSIONS, statements.OF_RUN, run_key=run_key)

    def versions(self, pipeline: str) -> list[VersionRecord]:
        """Every version of a pipeline, oldest first."""
        return self._select(statements.VERSIONS, statements.OF_PIPELINE, pipeline=pipeline)

    # Promotions: the champion's journal.

    def champion(self, pipeline: str) -> PromotionRecord | None:
        """The head of the journal: what serves, or should."""
        return self._first(statements.PROMOTIONS, statements.HEAD, pipeline=pipeline)

    def promote(self, pipeline: str, record: PromotionRecord) -> PromotionRecord:
        """Append to the journal if its head is still the one the promotion was decided on.

        Parameters
        ----------
        pipeline : str
            Whose journal.
        record : PromotionRecord
            Its ``sequence`` is that of the head it was decided on, plus one.

        Returns
        -------
        PromotionRecord
            The stored one, also where it was there already.

        Raises
        ------
        Superseded
            If another run has that place, or the journal has not come so far.
        """
        head = self.champion(pipeline)
        reached = head.sequence if head else 0
        # Entries are never removed, so a head that fits now can only be overtaken by an entry
        # with our own sequence number, and the unique constraint settles that race.
        if reached == record.sequence - 1:
            self._insert(statements.PROMOTIONS, record, pipeline=pipeline)
        stored = self._first(
            statements.PROMOTIONS,
            statements.AT_SEQUENCE,
            pipeline=pipeline,
            sequence=record.sequence,
        )
        if stored is None or stored.run_key != record.run_key:
            found = (
                f"its head is {reached}"
                if stored is None
                else f"run {stored.run_key[:12]} (version {stored.version}) has that place"
            )
            raise Superseded(
                "LEDGER-SUPERSEDED",
                f"{pipeline} promotion of version {record.version}",
                f"a promotion must follow the champion it was judged against"
                f" (journal entry {record.sequence - 1})",
                found,
                "Run the pipeline again: the plan will compare with the new champion",
            )
        return stored

    def history(self, pipeline: str) -> list[PromotionRecord]:
        """The whole journal, oldest first."""
        return self._select(statements.PROMOTIONS, statements.JOURNAL, pipeline=pipeline)


@contextmanager
def open_ledger(url: str, clock: Clock = now) -> Iterator[Ledger]:
    """Open the ledger at a SQLAlchemy URL, made or brought up to date if need be.

    Parameters
    ----------
    url : str
        ``sqlite:////absolute/file.db`` or ``postgresql+psycopg://user:password@host/database``.
    clock : callable
        What the time is; a replay has a clock of its own.

    Raises
    ------
    UserError
        If the URL is wrong, the file cannot be used, or a newer Everfit wrote the ledger.
    CredentialsError
        If the database refuses the credentials.
    Unavailable
        If the database does not answer.
    """
    connection = open_connection(url)
    try:
        bring_up_to_date(connection)
        yield Ledger(connection, clock)
    finally:
        connection.close()
