"""The store compared with what is needed: what would go, and what stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from everfit.contracts.base import Digest
from everfit.contracts.errors import IntegrityError, UserError
from everfit.operations.retention.census import Census, Named
from everfit.operations.retention.kinds import CACHED, kind_of
from everfit.operations.retention.reach import Reach
from everfit.operations.retention.roots import (
    MEASURED,
    MONITORED,
    RUNS,
    SPANS,
    UNFINISHED,
    VERSIONS,
    YOUNGER,
    Root,
    ever,
    roots,
    snapshots,
)
from everfit.storage.ledger import Ledger
from everfit.storage.store import Entry, blob_key

ORDER = (VERSIONS, UNFINISHED, RUNS, SPANS, MONITORED, MEASURED, YOUNGER)


@dataclass(frozen=True)
class Condemned:
    """Something that nothing needs."""

    entry: Entry
    kind: str
    """What people call such things."""
    name: str
    owners: tuple[str, ...]
    """Pipelines whose records lead to it; none where no record does."""
    digest: Digest | None = None
    """None: a cached result."""


@dataclass(frozen=True)
class Survey:
    """What would go and what is kept."""

    condemned: tuple[Condemned, ...]
    """Results first, then what documents name before the documents: killed anywhere, what is left
    is found again."""
    kept: Mapping[str, tuple[int, int]]
    """Reason → blobs and bytes."""
    live: frozenset[Digest] = field(default_factory=frozenset)
    """Keys of the runs that are kept."""


def survey(
    ledger: Ledger,
    census: Census,
    pipelines: Sequence[str],
    since: datetime,
    only: str | None = None,
) -> tuple[Survey, Reach]:
    """Mark what is needed, over the whole store; the rest is condemned if it is old enough.

    Parameters
    ----------
    ledger : Ledger
    census : Census
        Taken just now.
    pipelines : sequence of str
        All there are: the store is theirs together.
    since : datetime
        What was made or used from then on is kept, and what that names.
    only : str, optional
        Of what is condemned, only what this pipeline's records lead to.

    Raises
    ------
    UserError
        If the store holds runs of another ledger: what those need is not known here.
    IntegrityError
        If a document that is needed is missing or altered: what it named is not known then.
    """
    _ours(ledger, census, pipelines)
    reach, live = mark(ledger, census, pipelines, since)
    results = {
        key: entry
        for key, entry in census.results.items()
        if entry.used < since.timestamp()
        and not _keeps(_stem(key), census.of_result(key), live, census, reach)
    }
    blobs = {digest: e for digest, e in census.blobs.items() if digest not in reach.why}
    owners = _owners(ledger, census, pipelines, results, blobs)
    names = census.names | {
        digest: "snapshot.parquet" for name in pipelines for digest in snapshots(ledger, name)
    }
    names |= {named.own: f"{step}.json" for step, named in census.made() if named.own in blobs}
    condemned = [
        Condemned(entry, CACHED, key, owners.get(key, ())) for key, entry in results.items()
    ]
    for digest in _children_first(blobs, census):
        name = names.get(digest, "document.json" if census.of_blob(digest).own else "")
        condemned.append(
            Condemned(blobs[digest], kind_of(name), name, owners.get(digest, ()), digest)
        )
    kept: dict[str, tuple[int, int]] = {}
    for digest, why in reach.why.items():
        count, size = kept.get(why, (0, 0))
        kept[why] = (count + 1, size + census.blobs[digest].size)
    chosen = tuple(one for one in condemned if only is None or only in one.owners)
    return Survey(chosen, {why: kept[why] for why in ORDER if why in kept}, live), reach


def mark(
    ledger: Ledger, census: Census, pipelines: Sequence[str], since: datetime
) -> tuple[Reach, frozenset[Digest]]:
    """Reach all that is needed, and name the runs that are."""
    reach = Reach(census)
    found = [root for name in pipelines for root in roots(ledger, name, since)]
    live = frozenset(root.run for root in found if root.run)
    try:
        for root in sorted(found, key=lambda root: ORDER.index(root.why)):
            _there(root, census)
            reach.add(root.digests, root.why, follow=root.follow)
        _unfinished(found, reach)
        reach_young(reach, since)
        for key in census.results:
            if _stem(key) in live or census.of_result(key).digests & live:
                reach.add(census.of_result(key).all, RUNS)
    except IntegrityError as error:
        if error.code == "PRUNE-DAMAGED":
            raise
        raise damaged(error.where, "it is altered") from error
    return reach, live


def _ours(ledger: Ledger, census: Census, pipelines: Sequence[str]) -> None:
    """Refuse a store that another ledger speaks for too, or this ledger's younger self."""
    runs = [_stem(key) for key in census.results if key.startswith("results/dossier/")]
    strange = [run for run in runs if ledger.run(run) is None]
    if strange or (census.blobs and not pipelines):
        found = f"{len(strange)} are not, such as {strange[0][:12]}" if strange else "it is empty"
        raise UserError(
            "PRUNE-LEDGER",
            census.store.url,
            "every run in the store must be in the ledger",
            found,
            "Correct EVERFIT_LEDGER, or restore it; a store of several ledgers is not pruned",
        )


def _unfinished(found: Sequence[Root], reach: Reach) -> None:
    """What evaluate made for runs to be registered still, which name it by the model alone."""
    census = reach.census
    theirs = Reach(census)
    for root in found:
        if root.why == UNFINISHED:
            theirs.add(root.digests, UNFINISHED)
    for key in census.results if theirs.why else ():
        named = census.of_result(key)
        if key.startswith("results/evaluate/") and named.digests & theirs.why.keys():
            reach.add(named.all, UNFINISHED)


def reach_young(reach: Reach, since: datetime) -> None:
    """Reach what was made or used since then: a pipeline may be building upon it."""
    census, moment = reach.census, since.timestamp()
    for key, entry in census.results.items():
        if entry.used >= moment:
            reach.add(census.of_result(key).all, YOUNGER)
    reach.add([d for d, entry in census.blobs.items() if entry.used >= moment], YOUNGER)


def damaged(where: str, found: str) -> IntegrityError:
    """A document that is needed cannot be read, so nobody knows what it names."""
    return IntegrityError(
        "PRUNE-DAMAGED",
        where,
        "every document that is needed must be in the store as it was",
        f"{found}, so what it names is not known and nothing is removed",
        "Look with everfit reconcile, and restore it from a backup",
    )


def _there(root: Root, census: Census) -> None:
    for digest in root.must:
        if digest not in census.blobs:
            where = f"{root.pipeline} run {root.run[:12]} {blob_key(digest)}"
            raise damaged(where, "it is not there")


def _keeps(stem: str, named: Named, live: frozenset[Digest], census: Census, reach: Reach) -> bool:
    """Whether an old result is kept: it is of such a run, or all that it made is kept."""
    if stem in live or named.digests & live or named.own in reach.why:
        return True
    made = named.digests & census.blobs.keys()
    return bool(made) and made <= reach.why.keys()


def _stem(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".json")


def _owners(
    ledger: Ledger,
    census: Census,
    pipelines: Sequence[str],
    results: Mapping[str, Entry],
    blobs: Mapping[Digest, Entry],
) -> dict[str, tuple[str, ...]]:
    """Condemned result or blob → pipelines whose records lead to it, or that it names."""
    owners: dict[str, tuple[str, ...]] = {}
    documents = {digest: census.of_blob(digest) for digest in blobs}
    documents |= {key: census.of_result(key) for key in results}
    for name in pipelines:
        known, spans = ever(ledger, name), snapshots(ledger, name)
        ours = Reach(census)
        with suppress(IntegrityError):  # whose an altered document is, is told as far as it goes
            ours.add(known, name)
        belongs = {*known, *ours.why} - spans.keys()
        found: set[str] = set()
        while more := [
            place
            for place, document in documents.items()
            if place not in found and document.digests & belongs
        ]:
            found |= set(more)
            belongs |= {place for place in more if place in blobs}
            for place in more:
                belongs |= documents[place].digests & blobs.keys() - spans.keys()
        for place in {*found, *(belongs & blobs.keys()), *(spans.keys() & blobs.keys())}:
            owners[place] = (*owners.get(place, ()), name)
    return owners


def _children_first(blobs: Mapping[Digest, Entry], census: Census) -> Iterator[Digest]:
    """Blobs so that none comes after a document that names it."""
    done: set[Digest] = set()
    for first in sorted(blobs):
        stack = [(first, False)]
        while stack:
            digest, ready = stack.pop()
            if ready:
                yield digest
            elif digest not in done:
                done.add(digest)
                stack.append((digest, True))
                named = census.of_blob(digest).digests & blobs.keys() - done
                stack += [(child, False) for child in sorted(named)]
