"""Whether the candidate can stand where the champion stands, with nothing changed around it."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline_components.contracts.errors import shortlist
from pipeline_components.contracts.metrics import METRICS

from .evidence import Evidence, Reads, known
from .question import Finding

KINDS = {
    "integer": "number", "float": "number", "boolean": "number", "string": "text",
    "timestamp": "time",
}  # fmt: skip
"""What a serving system tells apart: a whole number may come as 7.0, and true as 1."""


def signature(evidence: Evidence) -> Iterator[Finding]:
    """Inputs, then the target, of the candidate beside the champion's."""
    champion = evidence.request.champion
    if champion is None:
        yield Finding("not_applicable", "There is no champion to be compatible with.")
        return
    theirs = known(evidence.champion_reads)
    assert theirs is not None  # there is a champion
    yield from _inputs(evidence, theirs)
    yield _target(evidence, theirs)


def _inputs(evidence: Evidence, theirs: Reads) -> Iterator[Finding]:
    """Types of what both read, then what only the candidate needs."""
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
    title = "Inputs of the champion's types"
    if not theirs.features:
        yield Finding(
            "not_assessed", f"Nothing is on record of what {who} reads.", title=title,
            severity="warning",
        )  # fmt: skip
        return
    if changed:
        yield Finding(
            "failed",
            f"{len(changed)} of {len(both)} features that {who} reads too are of another kind: "
            f"{shortlist(changed)}.",
            flip="Inputs of the kinds the champion was trained on, or a person who promotes the "
            "candidate once what asks it sends the new ones",
            title=title,
            values={"changed": len(changed)},
        )
    else:
        yield Finding(
            "passed",
            f"All {len(both):,} features that {who} reads too are of compatible types.",
            title=title,
            values={"features": len(both)},
        )
    new = sorted(set(ours) - set(theirs.features))
    gone = len(set(theirs.features) - set(ours))
    title = "No input that the champion does without"
    if new:
        yield Finding(
            "failed",
            f"What asks the model must send {len(new)} more "
            f"{'column' if len(new) == 1 else 'columns'} than for {who}: {shortlist(new)}.",
            title=title,
            values={"new": len(new)},
            severity="warning",
        )
    else:
        less = f", and {gone} of its columns are no longer needed" if gone else ""
        yield Finding(
            "passed", f"It needs no column that {who} does without{less}.", title=title,
            severity="warning",
        )  # fmt: skip


def _target(evidence: Evidence, theirs: Reads) -> Finding:
    """The same kind of answer, in the same classes."""
    request = evidence.request
    assert request.champion is not None
    who = f"champion v{request.champion.version}"
    role = next((c for c in request.prepared.columns if c.role == "target"), None)
    title = "Predicts what the champion predicts"
    todo = "A person who promotes the candidate once what asks it knows the new answers"
    if role is None:
        return Finding("not_assessed", "The prepared tables name no target.", title=title)
    other = sorted(
        name
        for name in request.champion.scores
        if name in METRICS and request.task not in METRICS[name].tasks
    )
    if other:
        message = f"It answers a {request.task} task, but {who} was scored by {shortlist(other)}."
        return Finding("failed", message, flip=todo, title=title)
    if theirs.target is None:
        message = f"It predicts {role.name}, which {who} was not trained to."
        return Finding("failed", message, flip=todo, title=title)
    classes = request.prepared.classes
    if classes is None or theirs.classes is None:
        if KINDS.get(theirs.target, theirs.target) != KINDS.get(role.type, role.type):
            message = f"{role.name} is {role.type} now; {who} was trained on {theirs.target}."
            return Finding("failed", message, flip=todo, title=title)
        return Finding("passed", f"It predicts {role.name} as {who} does.", title=title)
    lost = [name for name in theirs.classes if name not in classes]
    more = [name for name in classes if name not in theirs.classes]
    if not lost and not more:
        message = f"It predicts the {len(classes)} classes of {role.name} that {who} does."
        return Finding("passed", message, title=title)
    told = [f"no longer {shortlist(lost)}"] if lost else []
    told += [f"{shortlist(more)} as well"] if more else []
    return Finding(
        "failed",
        f"It predicts other classes of {role.name} than {who}: {' and '.join(told)}.",
        flip=f"A window that holds {shortlist(lost)}" if lost else todo,
        title=title,
        values={"lost": len(lost), "new": len(more)},
        # one class more is how data grows; one less is a question nobody answers any more
        severity=None if lost or request.task == "binary" else "warning",
    )
