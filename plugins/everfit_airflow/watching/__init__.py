"""Data arrival, noticed in the triggerer: no task waits for it, and no worker slot is taken.

::

    source_watchers     the watcher that a pipeline's source asset gets        (DAG processor)
    trigger             decides whether what was seen is news                  (triggerer)
    stream              looks at one source again and again, for all pipelines (triggerer)
    lister              asks the one process that can look at sources          (triggerer)
    watermark           keeps what a monitoring run has dealt with             (last task)

A ring is a doorbell: it says that the source is not what it was. It may come twice, or be lost
with a machine, and the sweep finds what nobody rang for. See ``docs/reference/sources.md``.
"""

from __future__ import annotations

from airflow.sdk import AssetWatcher

from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.source import HttpsSourceSpec, OwnSourceSpec
from everfit_airflow.watching.trigger import SourceChanged, watched_part
from everfit_airflow.watching.watermark import remember_consumed

__all__ = ["SourceChanged", "remember_consumed", "source_watchers"]


def source_watchers(spec: PipelineSpec) -> list[AssetWatcher]:
    """What rings the asset of a pipeline's source.

    Returns
    -------
    list of AssetWatcher
        Empty for an address with a query: it may hold a token, and Airflow keeps the arguments of
        a trigger. The sweep looks at such a source.
    """
    sources = spec.sources
    if any(isinstance(one, HttpsSourceSpec | OwnSourceSpec) and "?" in one.uri for one in sources):
        return []
    trigger = SourceChanged(pipeline=spec.name, source=watched_part(sources[0], sources[1:]))
    return [AssetWatcher(name=f"{spec.name}.arrival", trigger=trigger)]
