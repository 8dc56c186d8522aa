"""The decision about a run, and its report where a person can open it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from everfit.champion.lookup import find_run, find_version
from everfit.contracts.base import Digest
from everfit.contracts.errors import IntegrityError, NothingToDo
from everfit.contracts.messages.requests import GateResult
from everfit.contracts.messages.verdicts import Check
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import ApprovalRecord, VerdictRecord
from everfit.storage.store import Store


@dataclass(frozen=True)
class Explanation:
    """A verdict that counts, and the checks it followed from."""

    run_key: Digest
    version: int | None
    verdict: VerdictRecord
    decision: GateResult
    awaits: str = ""
    """What its version was registered to wait for: ``approval``, ``observe`` or nothing."""
    approval: ApprovalRecord | None = None
    """A person's answer, where there is one."""

    @property
    def not_passed(self) -> list[Check]:
        """Checks that failed or could not look, errors first."""
        order = ("error", "warning", "info")
        found = [c for c in self.decision.checks if c.state in ("failed", "not_assessed")]
        return sorted(found, key=lambda check: order.index(check.severity))


def explain(
    ledger: Ledger,
    store: Store,
    pipeline: str,
    *,
    version: int | None = None,
    run: str | None = None,
) -> Explanation:
    """The decision about a version, a run, or by default the champion.

    Parameters
    ----------
    run : str
        The beginning of a run key.

    Raises
    ------
    UserError
        If there is no such version or run.
    IntegrityError
        If the store lost or altered the decision.
    NothingToDo
        If nothing was decided yet.
    """
    verdict = ledger.verdict(_chosen(ledger, pipeline, version, run))
    if verdict is None and version is None and run is None:
        verdict = ledger.newest_verdict(pipeline)
    if verdict is None:
        what = f"run {run}" if run else "any run"
        raise NothingToDo("EXPLAIN-UNDECIDED", pipeline, f"nothing was decided about {what} yet")
    record = ledger.version(verdict.run_key)
    return Explanation(
        run_key=verdict.run_key,
        version=record.version if record else None,
        verdict=verdict,
        decision=_decision(verdict, ledger, store, pipeline),
        awaits=record.awaits if record else "",
        approval=ledger.approval(verdict.run_key),
    )


def _decision(verdict: VerdictRecord, ledger: Ledger, store: Store, pipeline: str) -> GateResult:
    """What the gate left; where retention took it out, the ledger's own words have to do."""
    try:
        return GateResult.model_validate_json(store.get(verdict.decision))
    except IntegrityError as error:
        if error.code != "STORE-MISSING":
            raise
        for gone in ledger.removals(pipeline):
            if gone.digest == verdict.decision:
                raise NothingToDo(
                    "EXPLAIN-PRUNED",
                    f"{pipeline} run {verdict.run_key[:12]}",
                    f"retention took its report out of the store on {gone.at[:10]}",
                    f"the ledger says: {verdict.verdict}. {verdict.because}",
                ) from error
        raise


def _chosen(ledger: Ledger, pipeline: str, version: int | None, run: str | None) -> Digest:
    """The run key asked for; empty where there is no champion to default to."""
    if run is not None:
        return find_run(ledger, pipeline, run).run_key
    if version is not None:
        return find_version(ledger, pipeline, version).run_key
    head = ledger.champion(pipeline)
    return head.run_key if head else ""


def write_reports(found: Explanation, pipeline: str, store: Store, home: Path) -> Path:
    """Put page and JSON below ``home/reports``, and return where the page is.

    Raises
    ------
    IntegrityError
        If the store lost or altered one.
    """
    name = found.run_key[:12] if found.version is None else f"v{found.version}"
    folder = home / "reports" / pipeline / name
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / found.decision.report_html.name
    for artifact in (found.decision.report_json, found.decision.report_html):
        aside = folder / f".{artifact.name}.{os.getpid()}.part"  # a browser never sees half of it
        aside.write_bytes(store.get(artifact.digest))
        aside.replace(folder / artifact.name)
    return page
