"""Train: one fitted pipeline of one family, in canonical bytes."""

from __future__ import annotations

from everfit.contracts.errors import RequestError, shortlist
from everfit.contracts.messages.requests import PrepareResult
from everfit.contracts.messages.steps import Order
from everfit.contracts.messages.summaries import TrainSummary
from everfit.contracts.messages.training import TrainRequest, TrainResult
from everfit.engine.context import Context
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream
from everfit.ml.families.request import train_request


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
        return train_request(spec, families[order.family], prepared)

    def run(self, request: TrainRequest, context: Context) -> TrainResult:
        """Search, fit and save."""
        from threadpoolctl import threadpool_limits

        from everfit.data.tables.entity_digests import read_entities
        from everfit.data.tables.frames import read_table, read_weights
        from everfit.ml.families.fitting import save_fitted
        from everfit.steps.train.fit import fit_family

        name = request.family.name
        path = context.store.local(request.train.digest, context.scratch)
        features = [column.name for column in request.columns if column.role == "feature"]
        frame = read_table(path, [*features, request.target])
        rows = len(frame)
        entities, weights = read_entities(path, request.entity), read_weights(path)
        if weights is not None and not weights.all():  # a row of no weight is not there
            some = weights > 0
            frame, weights = frame[some].reset_index(drop=True), weights[some]
            entities = None if entities is None else entities[some]
        with threadpool_limits(limits=request.threads):
            fitted = fit_family(
                request,
                frame,
                entities,
                lambda done, total: context.progress.update(f"training {name}", done, total),
                weights,
            )
        data, types = save_fitted(fitted.model, request.family)
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
