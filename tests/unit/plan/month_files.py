"""A source of nearly empty month files, and what the chain after plan would have recorded."""

from __future__ import annotations

import pytest

from everfit.champion.current import current_champion
from everfit.contracts.base import digest_of
from everfit.contracts.errors import NothingToDo
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.monitoring import Rise
from everfit.contracts.messages.planning import ChampionRef, PlanResult
from everfit.contracts.messages.spans import Snapshot, Span
from everfit.contracts.messages.steps import Order, RunOptions, Trigger
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.rules import rules_digest
from everfit.data.sources import list_spans
from everfit.data.sources.reader import reader_digest
from everfit.engine.fingerprints import code_digest, environment_digest, run_key, spec_digest
from everfit.steps.plan.step import Plan
from everfit.storage.ledger.records import (
    MonitorRecord,
    PromotionRecord,
    RunRecord,
    SpanRecord,
    VerdictRecord,
    VersionRecord,
)


class World:
    """A source of empty month files, and what extract, gate and register would have recorded."""

    def __init__(self, context, **more):
        self.context, self.ledger, self.settings = context, context.ledger, context.settings
        self.spec = PipelineSpec.model_validate(
            {
                "name": "trips",
                "task": "regression",
                "target": "fare",
                "source": {"uri": "{data}/m/*.csv", "period": "%Y-%m"},
                "gate": {"superior_by": "1%", "baseline": "median"},
                **more,
            }
        )
        (self.settings.data / "m").mkdir(exist_ok=True)

    def arrive(self, *months):
        for month in months:
            (self.settings.data / "m" / f"2018-{month:02}.csv").write_text(f"fare\n{month}\n")

    def refs(self):
        return {ref.name[5:7]: ref for ref in list_spans(self.spec.source, self.settings).spans}

    def span(self, month):
        return Span(name=f"2018-{month:02}.csv", digest=digest_of(month), rows=1, size=1)

    def know(self, *months, refused=None):
        reader = reader_digest(
            self.spec.source, self.spec.curated, self.spec.time, self.spec.features.drop
        )
        for month in months:
            ref = self.refs()[f"{month:02}"]
            snapshot = Snapshot(
                span=self.span(month), fingerprint=ref.fingerprint, provenance={}
            ).model_dump(mode="json")
            self.ledger.record_span(
                "trips",
                SpanRecord(
                    name=ref.name,
                    fingerprint=ref.fingerprint,
                    reader=reader,
                    digest=None if refused else digest_of(month),
                    snapshot=None if refused else snapshot,
                    code=refused,
                ),
            )

    def quarantine(self, *months):
        for month in months:
            rules = rules_digest(self.spec)
            self.ledger.record_quarantine("trips", digest_of(month), rules, ("X",))

    def key(self, window, holdout, spec=None):
        spans = [tuple(self.span(month) for month in months) for months in (window, holdout)]
        return run_key(spec or self.spec, *spans, code_digest("run"), environment_digest())

    def ran(self, window, holdout, verdict=None, version=None, promoted=None, spec=None):
        """Record a run as far as it went; returns its run key."""
        key = self.key(window, holdout, spec)
        head = self.ledger.champion("trips")
        champion = current_champion(self.ledger, "trips") if head else None
        self.ledger.open_run(
            "trips",
            RunRecord(
                run_key=key,
                spec=spec_digest(self.spec),
                window=[digest_of(m) for m in window],
                holdout=[digest_of(m) for m in holdout],
                code=code_digest("run"),
                environment=environment_digest(),
                seed=0,
                champion=champion,
                trigger=Trigger(),
            ),
        )
        if verdict:
            self.ledger.record_verdict(
                VerdictRecord(run_key=key, verdict=verdict, because="so", decision=digest_of("d"))
            )
        if version:
            self.ledger.intend_registration("trips", key)
            blob = Artifact(name="x", digest=digest_of("x"), size=1)
            ref = ChampionRef(
                version=version,
                run_key=key,
                model=blob,
                train=blob,
                window=[digest_of(m) for m in window],
                sequence=0,
            )
            self.ledger.record_version(
                "trips", VersionRecord(run_key=key, version=version, mlflow_run="r", champion=ref)
            )
        if promoted:
            self.ledger.promote(
                "trips",
                PromotionRecord(
                    sequence=promoted, version=version, run_key=key, kind="promote", reason="so"
                ),
            )
        return key

    def measured(self, champion, *months, worse=0.0, low=0.0, reference=2.0):
        """Record what monitoring measured of a champion on spans."""
        for month in months:
            rise = Rise(
                metric="mae",
                reference=reference,
                current=reference + worse,
                worse=worse,
                low=low,
                rows=1000,
                labelled=1,
                method="m",
            )
            self.ledger.record_monitoring(
                "trips",
                MonitorRecord(
                    champion=champion,
                    version=1,
                    span=digest_of(month),
                    name=f"2018-{month:02}.csv",
                    rows=1000,
                    asked=digest_of("asked"),
                    state="measured",
                    inputs=0,
                    columns=0,
                    strongest=(),
                    rises=(rise,),
                    because="so",
                    document=digest_of("d"),
                ),
            )

    def plan(self, run_type="cli", **options) -> PlanResult:
        """The whole step; a skip or a wait is returned as its result too."""
        order = Order(
            component="plan",
            pipeline=self.spec,
            options=RunOptions(**options),
            trigger=Trigger(run_type=run_type, reason="test"),
        )
        request = Plan().request(order, None, self.context)
        result = Plan().run(request, self.context)
        before = len(self.ledger.evaluations("trips", 1000))
        if result.decision != "train":
            with pytest.raises(NothingToDo) as skipped:
                Plan().record(request, result, self.context, order)
            code = "PLAN-REFUSED" if result.refused else f"PLAN-{result.decision.upper()}"
            assert skipped.value.line.startswith(f"{code} trips: ")
            assert result.because[:60] in skipped.value.line
            assert skipped.value.exit_code == (2 if result.refused else 3)
            assert not result.window and not result.holdout
        else:
            Plan().record(request, result, self.context, order)
        evaluations = self.ledger.evaluations("trips", 1000)
        assert len(evaluations) == before + 1
        assert (evaluations[0].decision, evaluations[0].because) == (
            result.decision,
            result.because,
        )
        assert evaluations[0].trigger.reason == "test"
        return result


def months(refs):
    return [int(ref.name[5:7]) for ref in refs]
