"""Fit settings that were found already, on the rows of both tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.training import RefitRequest, RefitResult
from everfit.engine.context import Context


def refit(request: RefitRequest, context: Context) -> RefitResult:
    """The refitted model, or why the judged one serves.

    Raises
    ------
    IntegrityError
        If the store lost or altered a table or the judged model.
    UserError
        If the estimator cannot be fitted on these rows, or holds a type that is not safe to load.
    """
    from threadpoolctl import threadpool_limits

    from everfit.data.tables.frames import read_table, read_weights
    from everfit.ml.families.fitting import fit_on_all, fitted_on, log_warnings, save_fitted
    from everfit.ml.families.preparation import preparation
    from everfit.ml.families.resolve import family_of
    from everfit.ml.model import load_model
    from everfit.steps.refit.compare import compare
    from everfit.steps.refit.join_tables import join_tables

    fit, store, scratch = request.fit, context.store, context.scratch
    name, progress = fit.family.name, context.progress.update
    joined = scratch / "train.parquet"
    rows = join_tables(
        store.local(fit.train.digest, scratch), store.local(request.holdout.digest, scratch), joined
    )
    progress(f"refitting {name}", 1, 4)
    features = [column.name for column in fit.columns if column.role == "feature"]
    frame = read_table(joined, [*features, fit.target])
    weights = read_weights(joined)
    if weights is not None and not weights.all():  # a row of no weight is not there
        frame, weights = frame[weights > 0].reset_index(drop=True), weights[weights > 0]
    family = family_of(
        fit.family, fit.task, fit.metric, fit.seed, fit.threads, weighted=weights is not None
    )
    values = fitted_on(frame.pop(fit.target), fit.task)
    warned: dict[str, tuple[int, str]] = {}
    with threadpool_limits(limits=fit.threads):
        model = fit_on_all(
            family,
            request.judged.params,
            preparation(fit, frame, family),
            frame,
            values,
            warned,
            weights,
        )
    log_warnings(name, warned)
    progress(f"refitting {name}", 2, 4)
    data, types = save_fitted(model, fit.family)
    saved = store.put(f"{name}.skops", data)
    trusted = (fit.family.estimator,) if fit.family.estimator else ()

    def load(artifact: Artifact) -> Any:
        return load_model(store, artifact, scratch, trusted)

    loaded = load(saved)  # what a server would have
    progress(f"refitting {name}", 3, 4)
    held_out = store.local(request.holdout.digest, scratch)
    holdout = read_table(held_out, [*features, fit.target])
    compared = compare(load(request.judged.model), loaded, holdout, fit, read_weights(held_out))
    progress(f"refitting {name}", 4, 4)
    if why := compared.refused:
        return RefitResult(because=f"Fitted on {rows:,} rows, but not to be served: {why}.")
    return RefitResult(
        because=f"Fitted with the same settings on the {len(holdout):,} holdout rows too.",
        model=request.judged.model_copy(update={"model": saved, "trusted": types, "rows": rows}),
        train=store.put("train.parquet", joined),
        predictions=store.put("predictions.json", _sample(loaded, request, context)),
    )


def _sample(model: Any, request: RefitRequest, context: Context) -> bytes:
    """Its predictions of the sample, from the very bytes a server would read."""
    from everfit.data.tables.frames import read_table
    from everfit.ml.model.predict import predict_scores
    from everfit.ml.scoring.predictions import predictions_json

    rows = read_table(context.store.local(request.sample.digest, context.scratch))
    if not len(rows):
        return predictions_json(np.zeros(0))
    return predictions_json(np.asarray(predict_scores(model, rows, request.fit.task)))
