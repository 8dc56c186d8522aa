"""Two runs beside each other: what was asked of them, what they saw, and how they scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field, JsonValue

from everfit.champion.version.dossier import find_dossier
from everfit.contracts.base import Digest, Frozen
from everfit.contracts.errors import IntegrityError, UserError
from everfit.contracts.messages.dossier import Dossier
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.verdicts import VerdictName
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import RunRecord
from everfit.storage.store import Store


class Side(Frozen):
    """One of the two runs."""

    pipeline: str
    run_key: Digest
    opened: str = Field(description="ISO time, UTC")
    version: int | None
    verdict: VerdictName
    because: str
    family: str = Field(description="of the candidate")
    rows_train: int
    rows_holdout: int


class Difference(Frozen):
    """A value that is not the same in both."""

    name: str
    first: JsonValue
    second: JsonValue


class SpanSets(Frozen):
    """Names of the spans that one or both runs used."""

    both: tuple[str, ...]
    first_only: tuple[str, ...]
    second_only: tuple[str, ...]


class ScorePair(Frozen):
    """One metric of both candidates, each on the holdout it was judged on."""

    metric: str
    first: float | None
    second: float | None


class RunComparison(Frozen):
    """All that differs between two runs."""

    first: Side
    second: Side
    spec: tuple[Difference, ...] = Field(description="fields of the spec")
    candidate: tuple[Difference, ...] = Field(description="settings of the chosen model")
    environment: tuple[Difference, ...] = Field(description="versions of what computes")
    same_code: bool
    window: SpanSets
    holdout: SpanSets
    comparable: bool = Field(description="both were judged on the same rows")
    scores: tuple[ScorePair, ...]
    unit: str | None = Field(description="of the first run's target")


def compare(
    ledger: Ledger, store: Store, first: tuple[str, RunRecord], second: tuple[str, RunRecord]
) -> RunComparison:
    """Compare two runs that came to a verdict.

    Parameters
    ----------
    first, second : tuple
        Pipeline and run.

    Raises
    ------
    UserError
        If one has no verdict, or its record is no longer in the store.
    """
    (one, left), (other, right) = (_side(ledger, store, *run) for run in (first, second))
    ours, theirs = left.request, right.request
    return RunComparison(
        first=one,
        second=other,
        spec=_differences(
            ours.spec.model_dump(mode="json", exclude_defaults=True),
            theirs.spec.model_dump(mode="json", exclude_defaults=True),
        ),
        candidate=_differences(
            {"family": ours.evaluated.candidate.family, **ours.evaluated.candidate.params},
            {"family": theirs.evaluated.candidate.family, **theirs.evaluated.candidate.params},
        ),
        environment=_differences(left.environment, right.environment),
        same_code=ours.code == theirs.code,
        window=_span_sets(ours.window, theirs.window),
        holdout=_span_sets(ours.holdout, theirs.holdout),
        comparable=ours.prepared.holdout.digest == theirs.prepared.holdout.digest,
        scores=tuple(_scores(left, right)),
        unit=ours.spec.target.unit,
    )


def _side(ledger: Ledger, store: Store, pipeline: str, run: RunRecord) -> tuple[Side, Dossier]:
    verdict = ledger.verdict(run.run_key)
    where = f"{pipeline} run {run.run_key[:12]}"
    if verdict is None:
        raise UserError(
            "COMPARE-UNDECIDED",
            where,
            "only runs with a verdict can be compared",
            "it has none",
            "Compare another run, or finish this one with everfit run",
        )
    try:
        found = find_dossier(run.run_key, ledger, store)
    except IntegrityError as error:
        if error.code != "STORE-MISSING":
            raise
        found = None
    if found is None:
        raise UserError(
            "COMPARE-GONE",
            where,
            "a run's record must be in the store",
            "it is not there: it was pruned, or the run was never registered",
            "Compare a newer run",
        )
    request, version = found[1].request, ledger.version(run.run_key)
    side = Side(
        pipeline=pipeline,
        run_key=run.run_key,
        opened=run.at,
        version=version.version if version else None,
        verdict=verdict.verdict,
        because=verdict.because,
        family=request.evaluated.candidate.family,
        rows_train=request.prepared.rows_train,
        rows_holdout=request.prepared.rows_holdout,
    )
    return side, found[1]


def _scores(left: Dossier, right: Dossier) -> Iterator[ScorePair]:
    ours = left.request.evaluated.scores.get("candidate", {})
    theirs = right.request.evaluated.scores.get("candidate", {})
    for metric in dict.fromkeys((*ours, *theirs)):
        first, second = ours.get(metric), theirs.get(metric)
        yield ScorePair(
            metric=metric,
            first=first.value if first else None,
            second=second.value if second else None,
        )


def _span_sets(first: Sequence[Span], second: Sequence[Span]) -> SpanSets:
    """By content: a span that was delivered again with other rows is another span."""
    ours, theirs = ({span.digest for span in spans} for spans in (first, second))
    return SpanSets(
        both=tuple(span.name for span in first if span.digest in theirs),
        first_only=tuple(span.name for span in first if span.digest not in theirs),
        second_only=tuple(span.name for span in second if span.digest not in ours),
    )


def _differences(
    first: Mapping[str, JsonValue], second: Mapping[str, JsonValue]
) -> tuple[Difference, ...]:
    ours, theirs = dict(_flat(first)), dict(_flat(second))
    return tuple(
        Difference(name=name, first=ours.get(name), second=theirs.get(name))
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    )


def _flat(values: Mapping[str, JsonValue], above: str = "") -> Iterator[tuple[str, JsonValue]]:
    """``gate.superior_by`` and its value, for every value that is not a mapping itself."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
