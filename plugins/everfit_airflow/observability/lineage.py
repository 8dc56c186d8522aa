"""Where data came from and where it went, for OpenLineage; silent where its provider is absent.

A result of a component is one data set, named after pipeline and component, and each of its digests
is a version of it: so a catalogue shows one graph per pipeline, not one for every run.
"""

from __future__ import annotations

import logging
from typing import Any

from everfit.contracts.messages.summaries import (
    GateSummary,
    PlanSummary,
    PrepareSummary,
    ValidateSummary,
)
from everfit.contracts.runners import needs
from everfit.contracts.spec.source import SqlSourceSpec
from everfit_airflow.observability.datasets import Work, read_by, written_by

log = logging.getLogger(__name__)


def facets(work: Work | None) -> Any:
    """What a component read and wrote: for ``get_openlineage_facets_on_complete``.

    Returns
    -------
    OperatorLineage or None
        None where nothing was begun, or there is no OpenLineage provider.
    """
    if work is None:
        return None
    try:
        from everfit_airflow.observability.lineage_facets import operator_lineage
    except ImportError:
        return None
    order, gate = work.order, work.summary(GateSummary)
    about = {
        "pipeline": order.pipeline.name,
        "component": order.component,
        "family": order.family or "",
        "run_key": _run_key(work),
        "verdict": gate.verdict if gate else "",
        "reason": order.trigger.reason,
        "key": work.outcome.key if work.outcome else "",
        "cached": work.outcome.cached if work.outcome else False,
    }
    source = order.pipeline.source
    query = None
    if isinstance(source, SqlSourceSpec) and "source" in needs(order.component):
        query = source.query
    return operator_lineage(read_by(work), written_by(work), about, query)


def _run_key(work: Work) -> str:
    """Plan has it only where it knows the digests of all spans."""
    known: tuple[ValidateSummary | PrepareSummary | PlanSummary | None, ...] = (
        work.summary(ValidateSummary),
        work.summary(PrepareSummary),
        work.summary(PlanSummary),
    )
    return next((one.run_key for one in known if one and one.run_key), "")
