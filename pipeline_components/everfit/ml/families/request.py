"""What a family is fitted by: the spec's values and the prepared table."""

from __future__ import annotations

from everfit.contracts.messages.requests import PrepareResult
from everfit.contracts.messages.training import TrainRequest
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.train import FamilySpec


def train_request(spec: PipelineSpec, family: FamilySpec, prepared: PrepareResult) -> TrainRequest:
    """The request to search and fit one family of a pipeline.

    Parameters
    ----------
    spec : PipelineSpec
    family : FamilySpec
        One of the spec's.
    prepared : PrepareResult
        The table it is fitted on.
    """
    return TrainRequest(
        task=spec.task,
        metric=spec.primary_metric,
        target=spec.target.name,
        classes=prepared.classes,
        positive=spec.target.positive,
        train=prepared.train,
        columns=prepared.columns,
        time=spec.time,
        entity=spec.entity,
        features=spec.features,
        family=family,
        trials=spec.train.trials,
        folds=spec.train.folds,
        search_rows=spec.train.search_rows,
        seed=spec.train.seed,
        threads=spec.train.threads,
    )
