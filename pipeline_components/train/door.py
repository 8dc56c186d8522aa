"""Train: one fitted pipeline of one family, in canonical bytes."""

from __future__ import annotations

from pipeline_components.context import Context
from pipeline_components.contracts.errors import RequestError, UserError, shortlist
from pipeline_components.contracts.requests import PrepareResult, TrainRequest, TrainResult
from pipeline_components.contracts.steps import Order
from pipeline_components.door import Telling, Upstream

RESULT = TrainResult
CACHED = True


def request(order: Order, upstream: Upstream, context: Context) -> TrainRequest:  # noqa: ARG001
    """Pick the family of the order out of the spec."""
    spec = order.pipeline
    prepared = upstream.one("prepare", PrepareResult)
    families = {family.name: family for family in spec.train.families}
    if order.family not in families:
        raise RequestError(
            "ORDER-FAMILY", "train", f"an order names one of {shortlist(families)}",
            f"it names {order.family!r}", "Run the chain from its beginning",
        )  # fmt: skip
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
        family=families[order.family],
        trials=spec.train.trials,
        folds=spec.train.folds,
        search_rows=spec.train.search_rows,
        seed=spec.train.seed,
        threads=spec.train.threads,
    )


def run(request: TrainRequest, context: Context) -> TrainResult:
    """Search, fit and save."""
    from threadpoolctl import threadpool_limits

    from pipeline_components.model.load import untrusted
    from pipeline_components.model.save import save_model
    from pipeline_components.table.entity_digests import read_entities
    from pipeline_components.table.frames import read_table

    from .fit import fit_family

    name = request.family.name
    path = context.store.local(request.train.digest, context.scratch)
    features = [column.name for column in request.columns if column.role == "feature"]
    frame = read_table(path, [*features, request.target])
    rows = len(frame)
    entities = read_entities(path, request.entity)
    with threadpool_limits(limits=request.threads):
        fitted = fit_family(
            request, frame, entities,
            lambda done, total: context.progress.update(f"training {name}", done, total),
        )  # fmt: skip
    data, types = save_model(fitted.model)
    own = (request.family.estimator,) if request.family.estimator else ()
    if refused := untrusted(types, own):
        raise UserError(
            "TRAIN-TYPES", f"family {name}", "a model may hold only types that are safe to load",
            f"this one holds {shortlist(refused)}", "Name another estimator",
        )  # fmt: skip
    return TrainResult(
        family=name,
        model=context.store.put(f"{name}.skops", data),
        params=fitted.params,
        cv_score=fitted.score,
        trials=fitted.trials,
        trusted=types,
        rows=rows,
    )


def settle(request: TrainRequest, result: TrainResult, context: Context, order: Order) -> None:
    """Nothing: the model is in the store and the result names it."""


def tell(result: TrainResult, context: Context) -> Telling:  # noqa: ARG001
    """Family, score, trials and rows."""
    return Telling(
        summary={
            "family": result.family,
            "cv_score": round(result.cv_score, 6),
            "trials": len(result.trials),
            "rows": result.rows,
        }
    )
