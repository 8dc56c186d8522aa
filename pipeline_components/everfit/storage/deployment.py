"""One deployment: a ledger, the store beside it and the registry that follows it bear one name.

A ledger that was lost, emptied or exchanged looks like one in which nothing has happened yet. It
must not be believed: everything would be judged anew, and a champion nobody chose would serve.
"""

from __future__ import annotations

import json

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import IntegrityError
from everfit.storage.ledger import Ledger
from everfit.storage.store import Store

MARK = "deployment.json"
"""The key under which a store says of which deployment it is."""

TODO = (
    "Correct EVERFIT_LEDGER, EVERFIT_STORE or EVERFIT_MLFLOW, whichever names another one; get a "
    "lost ledger or store back with everfit restore, and a lost MLflow with everfit reconcile "
    "{pipeline} --rebuild; to begin anew, give all three a new place"
)


def claim(ledger: Ledger, store: Store) -> str:
    """Name the deployment before its first record, in the ledger and then in the store.

    Returns
    -------
    str
        Its name, new or as it was.
    """
    name = ledger.claim_deployment()
    if not store.exists(MARK):
        store.create(MARK, canonical_json({"deployment": name}))
    return name


def refuse_other_store(ledger: Ledger, store: Store) -> None:
    """Make sure that ledger and store are of one deployment.

    Raises
    ------
    IntegrityError
        If they are of two, or one of them was lost or emptied.
    """
    document, known = store.read(MARK), ledger.deployment()
    if document is None:
        if known is None or not ledger.pipelines():
            return  # new, or killed before its first record
        found = f"the ledger is of deployment {known[:8]} and has records, and the store has none"
    else:
        marked = _named(document)
        if marked == known:
            return
        ours = f"of deployment {known[:8]}" if known else "new, or was emptied"
        found = f"the ledger is {ours}, and {store.url} is of {marked[:8] or 'none that is known'}"
    raise other_deployment(ledger.where, found)


def other_deployment(where: str, found: str, pipeline: str = "NAME") -> IntegrityError:
    """The error for places that do not belong together."""
    return IntegrityError(
        "DEPLOYMENT",
        where,
        "ledger, store and MLflow must be of one deployment",
        found,
        TODO.format(pipeline=pipeline),
    )


def _named(document: bytes) -> str:
    try:
        found = json.loads(document)["deployment"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""
