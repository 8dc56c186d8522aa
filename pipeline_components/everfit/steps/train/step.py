"""Train: one fitted pipeline of one family, in canonical bytes."""

from __future__ import annotations

from everfit.contracts.errors import RequestError, UserError, shortlist
from everfit.contracts.messages.requests import PrepareResult, TrainRequest, TrainResult
from everfit.contracts.messages.steps import Order
from everfit.contracts.messages.summaries import TrainSummary
from everfit.engine.context import Context
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream


class Train(Step[TrainRequest, TrainResult]):
    """Fit one model family."""

    name = "train"
    result_type = TrainResult
    cached = True

    def request(self, order: Order, upstream: Upstream, _context: Context) -> TrainRequest:
        """Pick the family of the order out of the spec."""
        spec = order.pipeline
        prepared = upstream.one("prepare", PrepareResult)
        families = {family.name: family for family in spec.train.families}
        if order.family not in families:
            raise RequestError(
                "ORDER-FAMILY",
                "train",
                f"an order names one of {shortlist(families)}",
                f"it names {order.family!r}",
                "Run the chain from its beginning",
            )
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

    def run(self, request: TrainRequest, context: Context) -> TrainResult:
        """Search, fit and save."""
        from threadpoolctl import threadpool_limits

        from everfit.data.tables.entity_digests import read_entities
        from everfit.data.tables.frames import read_table
        from everfit.ml.model.load import untrusted
        from everfit.ml.model.save import save_model
        from everfit.steps.train.fit import fit_family

        name = request.family.name
        path = context.store.local(request.train.digest, context.scratch)
        features = [column.name for column in request.columns if column.role == "feature"]
        frame = read_table(path, [*features, request.target])
        rows = len(frame)
        entities = read_entities(path, request.entity)
        with threadpool_limits(limits=request.threads):
            fitted = fit_family(
                request,
                frame,
                entities,
                lambda done, total: context.progress.update(f"training {name}", done, total),
            )
        data, types = save_model(fitted.model)
        own = (request.family.estimator,) if request.family.estimator else ()
        if refused := untrusted(types, own):
            raise UserError(
                "TRAIN-TYPES",
                f"family {name}",
                "a model may hold only types that are safe to load",
                f"this one holds {shortlist(refused)}",
                "Name another estimator",
            )
        return TrainResult(
            family=name,
            model=context.store.put(f"{name}.skops", data),
            params=fitted.params,
            cv_score=fitted.score,
            trials=fitted.trials,
            trusted=types,
            rows=rows,
        )

    def record(
        self, _request: TrainRequest, _result: TrainResult, _context: Context, _order: Order
    ) -> None:
        """Nothing: the model is in the store and the result names it."""

    def report(self, result: TrainResult, _context: Context) -> StepReport:
        """Family, score, trials and rows."""
        return StepReport(
            summary=TrainSummary(
                family=result.family,
                cv_score=round(result.cv_score, 6),
                trials=len(result.trials),
                rows=result.rows,
            )
        )
