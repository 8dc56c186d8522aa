"""No holdout row is in the candidate's or the champion's training table.

What makes two rows the same depends on the pipeline. With a key, the key does. Where the rows of
the same spans were divided, their content does: equal rows go to one side together. Else rows are
of different spans, and equal ones are different observations; whether there are more of them than
chance brings is ``LINEAGE-REPEATS``' question.
"""

from __future__ import annotations

from typing import Any

from everfit.contracts.wording import count
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence, Missing, known, shared
from everfit.steps.gate.finding import Finding, NotAssessed


def assess(evidence: Evidence) -> Finding:
    """No holdout row is in the candidate's or the champion's training table."""
    request = evidence.request
    holdout, train = known(evidence.holdout_rows), known(evidence.train_rows)
    if len(holdout) == 0 or len(train) == 0:
        raise NotAssessed("the training or the holdout table is empty")
    if len(train) != request.prepared.rows_train:
        return Finding(
            "failed",
            f"The training table holds {len(train):,} rows, but prepare recorded "
            f"{request.prepared.rows_train:,}.",
        )
    if request.key:
        keys = known(evidence.keys)
        named = f" by key ({', '.join(request.key)})"
        return _compared(evidence, _named(keys.holdout), _named(keys.train), keys.champion, named)
    if not request.holdout:
        return _compared(evidence, holdout, train, evidence.champion_rows, "")
    return _of_other_spans(evidence, holdout, train)


def _compared(evidence: Evidence, holdout: Any, train: Any, champion: Any, how: str) -> Finding:
    """What names a row is on neither other side."""
    leaked = shared(holdout, train)
    rows = len(known(evidence.holdout_rows))
    if leaked:
        return Finding(
            "failed",
            f"The candidate was trained on {leaked:,} of {rows:,} holdout rows{how}.",
            forces="reject",
            values={"leaked": leaked},
        )
    others = "and there is no champion"
    ours = evidence.request.champion
    if ours is not None:
        if how and isinstance(champion, Missing):  # of a time before the key was declared
            others = f"and champion v{ours.version} was trained on other spans"
            _champion_spans(evidence)
        else:
            theirs = known(champion)
            if theirs is None:
                raise NotAssessed(f"the training rows of champion v{ours.version} are unknown")
            leaked = shared(holdout, _named(theirs) if how else theirs)
            if leaked:
                return _unfair(evidence, f"on {leaked:,} of {rows:,} holdout rows{how}", leaked)
            others = f"nor among the {len(theirs):,} of champion v{ours.version}"
    seen = len(known(evidence.train_rows))
    return Finding(
        "passed",
        f"None of {rows:,} holdout rows is among the candidate's {seen:,} training rows{how}, "
        f"{others}.",
        values={"holdout_rows": rows, "train_rows": seen},
    )


def _of_other_spans(evidence: Evidence, holdout: Any, train: Any) -> Finding:
    """The sides are of different spans, so no row of one is a row of the other."""
    request = evidence.request
    if not request.window:
        raise NotAssessed("the window is empty, so it is unknown what the candidate was trained on")
    ours = {span.digest for span in request.holdout}
    if both := {span.digest for span in request.window} & ours:
        return Finding(
            "failed",
            f"The candidate was trained on {count(len(both), 'span')} of the holdout.",
            forces="reject",
            values={"leaked_spans": len(both)},
        )
    others = "and there is no champion"
    if request.champion is not None:
        if known(evidence.champion_rows) is None:
            raise NotAssessed(
                f"the training rows of champion v{request.champion.version} are unknown"
            )
        if both := _champion_spans(evidence):
            return _unfair(evidence, f"on {count(len(both), 'span')} of the holdout", len(both))
        others = f"nor of champion v{request.champion.version}"
    equal = shared(holdout, train)
    return Finding(
        "passed",
        f"None of {len(holdout):,} holdout rows is of a span of the candidate's {len(train):,} "
        f"training rows, {others}; {count(equal, 'row')} of the holdout "
        f"{'equals' if equal == 1 else 'equal'} a training row in full.",
        values={"holdout_rows": len(holdout), "train_rows": len(train), "equal_rows": equal},
    )


def _champion_spans(evidence: Evidence) -> set[str]:
    """Holdout spans the champion was trained on."""
    champion = evidence.request.champion
    if champion is None or not champion.window:
        version = champion.version if champion else 0
        raise NotAssessed(f"the window of champion v{version} is not known")
    return set(champion.window) & {span.digest for span in evidence.request.holdout}


def _unfair(evidence: Evidence, trained: str, leaked: int) -> Finding:
    champion = evidence.request.champion
    return Finding(
        "failed",
        f"Champion v{champion.version if champion else 0} was trained {trained}, so the comparison "
        "would not be fair.",
        flip="Holdout rows newer than the champion's training data",
        values={"leaked_champion": leaked},
    )


def _named(keys: Any) -> Any:
    """Those keys that name a row; a row whose key is missing is its own."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = known(keys)
    return values.filter(pc.not_equal(values, pa.scalar(0, pa.uint64())))


CHECK = GateCheck(
    code="LINEAGE-ROWS",
    title="No holdout row in the training data",
    severity="error",
    position=40,
    assess=assess,
    must_pass=True,
)
