"""Data sets and facets in OpenLineage's own classes; imported only where its provider is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attr
from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    RunFacet,
    dataset_version_dataset,
    output_statistics_output_dataset,
    sql_job,
)

from everfit_airflow.observability.datasets import Named


@attr.define
class EverfitRunFacet(RunFacet):
    """What is known of a component's run; empty where it is not known to it."""

    pipeline: str
    component: str
    family: str
    runKey: str  # noqa: N815 (OpenLineage's way of naming)
    verdict: str
    reason: str
    key: str
    cached: bool


def operator_lineage(
    read: Sequence[Named], written: Sequence[Named], about: dict[str, Any], query: str | None
) -> Any:
    """The same in OpenLineage's words."""
    run_key = about.pop("run_key")
    return OperatorLineage(
        inputs=[InputDataset(namespace=d.namespace, name=d.name, facets=_version(d)) for d in read],
        outputs=[_output(dataset) for dataset in written],
        run_facets={"everfit": EverfitRunFacet(**about, runKey=run_key)},
        job_facets={"sql": sql_job.SQLJobFacet(query=query)} if query else {},
    )


def _output(dataset: Named) -> OutputDataset:
    counted: dict[str, Any] = {}
    if dataset.rows is not None or dataset.size is not None:
        counted["outputStatistics"] = (
            output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=dataset.rows, size=dataset.size
            )
        )
    return OutputDataset(
        namespace=dataset.namespace,
        name=dataset.name,
        facets=_version(dataset),
        outputFacets=counted,
    )


def _version(dataset: Named) -> dict[str, Any]:
    if not dataset.version:
        return {}
    found = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=dataset.version)
    return {"version": found}
