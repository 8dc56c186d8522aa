"""The candidate can replace the champion without a change in what calls it."""

from __future__ import annotations

from collections.abc import Iterator

from everfit.contracts.errors import shortlist
from everfit.contracts.spec.metrics import METRICS
from everfit.contracts.wording import count
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence, Reads, known
from everfit.steps.gate.finding import Finding

KINDS = {
    "integer": "number",
    "float": "number",
    "boolean": "number",
    "string": "text",
    "timestamp": "time",
}
"""Types that a serving system tells apart: an integer may arrive as 7.0, and true as 1."""


def assess(evidence: Evidence) -> Iterator[Finding]:
    """Compare its inputs, then its target, with the champion's."""
    champion = evidence.request.champion
    if champion is None:
        yield Finding("not_applicable", "There is no champion to compare with.")
        return
    theirs = known(evidence.champion_reads)
    assert theirs is not None  # there is a champion
    yield from _inputs(evidence, theirs)
    yield _target(evidence, theirs)


def _inputs(evidence: Evidence, theirs: Reads) -> Iterator[Finding]:
    """Types of shared inputs, then the inputs that only the candidate needs."""
    request = evidence.request
    who = f"champion v{request.champion.version}" if request.champion else ""
    ours = {c.name: c.type for c in request.prepared.columns if c.role == "feature"}
    both = [name for name in ours if name in theirs.features]
    changed = [
        f"{name} ({theirs.features[name]} before, {ours[name]} now)"
        for name in both
        if KINDS.get(ours[name], ours[name])
        != KINDS.get(theirs.features[name], theirs.features[name])
    ]
    title = "Input types"
    if not theirs.features:
        yield Finding(
            "not_assessed",
            f"The inputs of {who} are not on record.",
            title=title,
            severity="warning",
        )
        return
    if changed:
        yield Finding(
            "failed",
            f"{len(changed)} of {len(both)} features shared with {who} have another type: "
            f"{shortlist(changed)}.",
            flip="Inputs of the types the champion was trained on, or a promotion by a person once "
            "the callers send the new ones",
            title=title,
            values={"changed": len(changed)},
        )
    else:
        yield Finding(
            "passed",
            f"All {len(both):,} features shared with {who} have compatible types.",
            title=title,
            values={"features": len(both)},
        )
    new = sorted(set(ours) - set(theirs.features))
    gone = len(set(theirs.features) - set(ours))
    title = "No new inputs"
    if new:
        yield Finding(
            "failed",
            f"Callers must send {count(len(new), 'column')} that {who} does not need: "
            f"{shortlist(new)}.",
            title=title,
            values={"new": len(new)},
            severity="warning",
        )
    else:
        less = f"; {gone} of that model's columns are no longer needed" if gone else ""
        yield Finding(
            "passed",
            f"The candidate needs no column that {who} does not need{less}.",
            title=title,
            severity="warning",
        )


def _target(evidence: Evidence, theirs: Reads) -> Finding:
    """The same kind of prediction, in the same classes."""
    request = evidence.request
    assert request.champion is not None
    who = f"champion v{request.champion.version}"
    role = next((c for c in request.prepared.columns if c.role == "target"), None)
    title = "Same target"
    todo = "A promotion by a person once the callers handle the new predictions"
    if role is None:
        return Finding("not_assessed", "The prepared tables name no target.", title=title)
    other = sorted(
        name
        for name in request.champion.scores
        if name in METRICS and request.task not in METRICS[name].tasks
    )
    if other:
        message = f"The task is {request.task}, but {who} was scored by {shortlist(other)}."
        return Finding("failed", message, flip=todo, title=title)
    if theirs.target is None:
        message = f"The target is {role.name}, which {who} was not trained to predict."
        return Finding("failed", message, flip=todo, title=title)
    classes = request.prepared.classes
    if classes is None or theirs.classes is None:
        if KINDS.get(theirs.target, theirs.target) != KINDS.get(role.type, role.type):
            message = f"{role.name} is {role.type} now; {who} was trained on {theirs.target}."
            return Finding("failed", message, flip=todo, title=title)
        return Finding("passed", f"The target is {role.name}, as for {who}.", title=title)
    lost = [name for name in theirs.classes if name not in classes]
    more = [name for name in classes if name not in theirs.classes]
    if not lost and not more:
        message = f"The {len(classes)} classes of {role.name} are those of {who}."
        return Finding("passed", message, title=title)
    changes = [f"without {shortlist(lost)}"] if lost else []
    changes += [f"with {shortlist(more)} added"] if more else []
    return Finding(
        "failed",
        f"The classes of {role.name} differ from those of {who}: {' and '.join(changes)}.",
        flip=f"A window with rows of {shortlist(lost)}" if lost else todo,
        title=title,
        values={"lost": len(lost), "new": len(more)},
        # a class may be added as data grows; a lost one is never predicted again
        severity=None if lost or request.task == "binary" else "warning",
    )


CHECK = GateCheck(
    code="SIGNATURE",
    title="Compatible with the champion",
    severity="error",
    position=160,
    assess=assess,
)
