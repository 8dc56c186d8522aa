"""Every run of a pipeline: verdict, gain, duration and cost, from the ledger and the reports."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from everfit.contracts.base import Digest, Frozen
from everfit.contracts.board import Gain
from everfit.contracts.clock import moment
from everfit.contracts.errors import IntegrityError
from everfit.contracts.messages.evaluations import Cost
from everfit.contracts.messages.planning import RunType
from everfit.contracts.messages.requests import GateResult
from everfit.contracts.messages.verdicts import VerdictName
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import RunRecord, VerdictRecord, VersionRecord
from everfit.storage.store import Store


class RunOverview(Frozen):
    """One run."""

    pipeline: str
    run_key: Digest
    opened: str = Field(description="ISO time, UTC")
    trigger: RunType
    reason: str = Field(description="why a person asked for it; may be empty")
    window: int = Field(description="spans it trained on")
    holdout: int = Field(description="spans it was judged on; 0 where rows were divided")
    verdict: VerdictName | None = Field(description="null: it came to none, or not yet")
    because: str
    decided: str | None = Field(description="ISO time of the verdict")
    version: int | None
    promotions: int = Field(description="how often its version was made champion")
    champion: bool = Field(description="whether its version serves now")
    gain: Gain | None = Field(description="null: not compared, or its report was pruned")
    seconds: float | None = Field(description="from its opening to the verdict")
    cpu_seconds: float | None = Field(
        description="of its steps up to evaluate, where their work was done; null: not known"
    )
    costs: tuple[Cost, ...] = Field((), description="the same, step by step")


@dataclass(frozen=True)
class Filter:
    """Which runs are asked for."""

    verdict: VerdictName | None = None
    since: datetime | None = None
    limit: int | None = None
    """The newest so many."""


def overview(
    ledger: Ledger,
    store: Store,
    pipeline: str,
    wanted: Filter | None = None,
    known: Collection[Digest] = (),
) -> list[RunOverview]:
    """The runs of a pipeline, oldest first.

    Parameters
    ----------
    ledger, store : Ledger, Store
        Read, not written. What retention took out of the store is left out here.
    pipeline : str
    wanted : Filter, optional
        All of them where left out.
    known : collection of str, optional
        Keys of runs whose gain and cost the caller has: their reports are not read.
    """
    wanted = wanted or Filter()
    verdicts = {record.run_key: record for record in ledger.verdicts(pipeline)}
    versions = {record.run_key: record for record in ledger.versions(pipeline)}
    promoted = [entry.run_key for entry in ledger.history(pipeline)]
    runs = list(_chosen(ledger.find_runs(pipeline), verdicts, wanted))
    if wanted.limit is not None:
        runs = runs[-wanted.limit :]
    return [
        _overview(
            pipeline, run, verdicts.get(run.run_key), versions.get(run.run_key), promoted
        ).model_copy(
            update={} if run.run_key in known else _reported(verdicts.get(run.run_key), store)
        )
        for run in runs
    ]


def _chosen(
    runs: Iterable[RunRecord], verdicts: dict[Digest, VerdictRecord], wanted: Filter
) -> Iterable[RunRecord]:
    for run in runs:
        verdict, opened = verdicts.get(run.run_key), moment(run.at)
        if wanted.verdict and (verdict is None or verdict.verdict != wanted.verdict):
            continue
        if wanted.since and (opened is None or opened < wanted.since):
            continue
        yield run


def _overview(
    pipeline: str,
    run: RunRecord,
    verdict: VerdictRecord | None,
    version: VersionRecord | None,
    promoted: Sequence[Digest],
) -> RunOverview:
    opened, decided = moment(run.at), moment(verdict.at) if verdict else None
    return RunOverview(
        pipeline=pipeline,
        run_key=run.run_key,
        opened=run.at,
        trigger=run.trigger.run_type,
        reason=run.trigger.reason,
        window=len(run.window),
        holdout=len(run.holdout),
        verdict=verdict.verdict if verdict else None,
        because=verdict.because if verdict else "",
        decided=verdict.at if verdict else None,
        version=version.version if version else None,
        promotions=promoted.count(run.run_key),
        champion=bool(promoted) and promoted[-1] == run.run_key,
        gain=None,
        seconds=(decided - opened).total_seconds() if opened and decided else None,
        cpu_seconds=None,
    )


def _reported(verdict: VerdictRecord | None, store: Store) -> dict[str, object]:
    """Gain and cost, as the decision's report has them."""
    if verdict is None:
        return {}
    try:
        decision = GateResult.model_validate_json(store.get(verdict.decision))
        report = json.loads(store.get(decision.report_json.digest))
    except (IntegrityError, ValueError):
        return {}  # pruned, or made by an older Everfit
    costs = tuple(map(Cost.model_validate, report.get("cost", ())))
    found: dict[str, object] = {"gain": _gain(decision)}
    if costs:
        found |= {"costs": costs, "cpu_seconds": sum(cost.cpu_seconds for cost in costs)}
    return found


def _gain(decision: GateResult) -> Gain | None:
    values = next((check.values for check in decision.checks if check.code == "GAIN"), {})
    if not values:
        return None
    return Gain.model_validate(
        {
            "metric": values["metric"],
            "score": values["candidate"],
            "baseline": values["baseline"],
            "value": values["gain"],
            "low": values["low"],
            "high": values["high"],
        }
    )
