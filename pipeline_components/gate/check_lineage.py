"""Blind rows: neither model saw the rows it is judged on, and both scored the same ones."""

from __future__ import annotations

from typing import Any

from pipeline_components.contracts.errors import shortlist

from .evidence import Evidence, NotAssessed, known
from .question import Finding


def same_rows(evidence: Evidence) -> Finding:
    """Hold the losses' row digests against the holdout table's, row for row."""
    import pyarrow.compute as pc

    request = evidence.request
    scored, holdout = known(evidence.losses).rows, known(evidence.holdout_rows)
    counts = {
        "the holdout table": len(holdout),
        "prepare's record": request.prepared.rows_holdout,
        "evaluate's record": request.evaluated.rows,
        "the row losses": len(scored),
    }
    if request.evaluated.comparison is not None:
        counts["the comparison"] = request.evaluated.comparison.gain.rows
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{where} {count:,}" for where, count in counts.items())
        return Finding("failed", f"The counts of holdout rows differ: {told}.")
    if not scored.equals(holdout):
        strange = len(scored) - (pc.sum(pc.is_in(scored, value_set=holdout)).as_py() or 0)
        ordered = scored.take(pc.array_sort_indices(scored))
        if not ordered.equals(holdout.take(pc.array_sort_indices(holdout))):
            return Finding(
                "failed",
                f"The losses are not of the holdout's rows: {strange:,} of {len(scored):,} row "
                "digests are not in the holdout table.",
                values={"rows": len(scored), "strange": strange},
            )
    return Finding(
        "passed",
        f"Both models scored the same {len(scored):,} rows, by row digest.",
        values={"rows": len(scored)},
    )


def spans_apart(evidence: Evidence) -> Finding:
    """No holdout span is in the candidate's or the champion's window."""
    request = evidence.request
    if not request.window:
        raise NotAssessed("the window names no span, so nothing shows what the candidate saw")
    holdout = {span.digest: span.name for span in request.holdout}
    if not holdout:
        return Finding(
            "not_applicable",
            "The holdout is a share of the window's rows; LINEAGE-ROWS looks at each of them.",
        )
    seen = sorted(holdout[d] for d in {span.digest for span in request.window} & holdout.keys())
    if seen:
        return Finding(
            "failed",
            f"The candidate was trained on {len(seen)} of {len(holdout)} holdout spans: "
            f"{shortlist(seen)}.",
            forces="reject",
        )
    champion = request.champion
    if champion is None:
        others = "there is no champion"
    elif not champion.window:
        raise NotAssessed(f"the window of champion v{champion.version} is not known")
    else:
        seen = sorted(holdout[d] for d in set(champion.window) & holdout.keys())
        if seen:
            return Finding(
                "failed",
                f"Champion v{champion.version} was trained on {len(seen)} of {len(holdout)} "
                f"holdout spans, so it is no fair measure: {shortlist(seen)}.",
                flip="A holdout span newer than the champion's window",
            )
        others = f"none of the {len(champion.window)} champion v{champion.version} was trained on"
    return Finding(
        "passed",
        f"None of {len(holdout)} holdout {'span' if len(holdout) == 1 else 'spans'} is among the "
        f"{len(request.window)} the candidate was trained on; {others}.",
        values={"holdout_spans": len(holdout), "window_spans": len(request.window)},
    )


def rows_apart(evidence: Evidence) -> Finding:
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
    leaked = _shared(holdout, train)
    if leaked:
        return Finding(
            "failed",
            f"The candidate was trained on {leaked:,} of {len(holdout):,} holdout rows.",
            forces="reject",
            values={"leaked": leaked},
        )
    champion = request.champion
    others = "there is no champion"
    if champion is not None:
        rows = known(evidence.champion_rows)
        if rows is None:
            raise NotAssessed(f"the rows champion v{champion.version} saw are not known")
        leaked = _shared(holdout, rows)
        if leaked:
            return Finding(
                "failed",
                f"Champion v{champion.version} was trained on {leaked:,} of {len(holdout):,} "
                "holdout rows, so it is no fair measure.",
                flip="A holdout of rows that are newer than the champion's training data",
                values={"leaked_champion": leaked},
            )
        others = f"nor among the {len(rows):,} of champion v{champion.version}"
    return Finding(
        "passed",
        f"None of {len(holdout):,} holdout rows is among the candidate's {len(train):,} training "
        f"rows, {'nor' + others[3:] if champion else 'and ' + others}.",
        values={"holdout_rows": len(holdout), "train_rows": len(train)},
    )


def entities_apart(evidence: Evidence) -> Finding:
    """No holdout row is about anybody the candidate or the champion was trained on."""
    import pyarrow.compute as pc

    request = evidence.request
    if not request.entity:
        return Finding(
            "not_applicable", "The pipeline declares no entity; LINEAGE-ROWS looks at each row."
        )
    digests = known(evidence.entities)
    holdout, train = known(digests.holdout), known(digests.train)
    if len(holdout) == 0 or len(train) == 0:
        raise NotAssessed("the training or the holdout table is empty")
    told = f"entities ({', '.join(request.entity)})"
    whole = pc.count_distinct(holdout).as_py()
    leaked = _shared(pc.unique(holdout), train)
    if leaked:
        return Finding(
            "failed",
            f"The candidate was trained on {leaked:,} of the {whole:,} {told} of the holdout.",
            forces="reject",
            values={"entities": whole, "leaked": leaked},
        )
    champion = request.champion
    others = ""
    if champion is not None:
        theirs = known(digests.champion)
        if theirs is None:
            raise NotAssessed(f"the entities champion v{champion.version} saw are not known")
        leaked = _shared(pc.unique(holdout), theirs)
        if leaked:
            return Finding(
                "failed",
                f"Champion v{champion.version} was trained on {leaked:,} of the {whole:,} {told} "
                "of the holdout, so it is no fair measure.",
                flip="A holdout with entities that are new to the champion: prepare leaves the "
                "others out, but here there were no more",
                values={"entities": whole, "leaked_champion": leaked},
            )
        others = f", nor among those of champion v{champion.version}"
    return Finding(
        "passed",
        f"None of the {whole:,} {told} of the holdout is among those the candidate was trained "
        f"on{others}.",
        values={"entities": whole},
    )


def _shared(holdout: Any, seen: Any) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(pc.is_in(holdout, value_set=seen)).as_py() or 0)
