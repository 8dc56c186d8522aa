"""Loss and CPU of the model families on many tables: ``quality.py [--json FILE]``.

A cell is a table and a seed (quality_tables.py). Each family is searched and fitted on the cell's
training rows by the code of the step ``train``, with the defaults of a spec and one thread, and
predicts its holdout. ``everfit`` is what a spec that names no families gets: of the default ones,
the one with the better cross-validated score, at the CPU of both. They take turns, cell by cell.

Regret is ``(loss − best) / (dummy − best)``: the best is the best loss of any of them on the cell,
or the loss of the best possible prediction where the table was drawn and it is lower; the dummy
predicts the training rows' median, mean or shares. A win is the lowest loss of a cell. CPU is the
process's own in search and fit, imports left out. The file: ``{system: {regret, cpu, wins}}``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from quality_tables import TABLES, TARGET, Cell, cells
from threadpoolctl import threadpool_limits

from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.training import ColumnRole, TrainRequest
from everfit.contracts.spec.metrics import METRICS
from everfit.contracts.spec.pipeline import FeatureSpec
from everfit.contracts.spec.train import FamilySpec, TrainSpec
from everfit.data.tables.frames import type_name
from everfit.ml.model import class_codes, class_texts, predict_scores
from everfit.ml.scoring.metric_sums import exact_score
from everfit.ml.scoring.scored import Scored
from everfit.steps.train.fit import fit_family

DEFAULTS = TrainSpec()
EVERFIT = "everfit"


def request_of(cell: Cell, family: FamilySpec) -> TrainRequest:
    """What the step would be asked for, but for where its rows are."""
    classes = None
    if cell.task != "regression":
        classes = tuple(class_texts(pd.Series(np.unique(cell.train[TARGET].to_numpy()))))
    roles = [
        ColumnRole(
            name=str(column),
            type=type_name(cell.train[column].dtype),
            role="target" if column == TARGET else "feature",
        )
        for column in cell.train.columns
    ]
    return TrainRequest(
        task=cell.task,
        metric=cell.metric,
        target=TARGET,
        classes=classes,
        train=Artifact(name="train.parquet", digest="0" * 64, size=0),
        columns=tuple(roles),
        time=cell.time,
        entity=(),
        features=FeatureSpec(),
        family=family,
        trials=DEFAULTS.trials,
        folds=DEFAULTS.folds,
        search_rows=DEFAULTS.search_rows,
        seed=DEFAULTS.seed,
        threads=DEFAULTS.threads,
    )


def loss_of(cell: Cell, request: TrainRequest, scores: np.ndarray) -> float:
    """The metric on the holdout, signed so that less is better."""
    target = cell.holdout[TARGET]
    if request.classes is None:
        truth = target.to_numpy(dtype=np.float64)
    else:
        truth = class_codes(target, request.classes)
    scored = Scored.of(cell.task, truth, scores)
    return -METRICS[cell.metric].sign * exact_score(cell.metric, scored)


def dummy_loss(cell: Cell, request: TrainRequest) -> float:
    """The loss of a prediction that looks at no feature."""
    target, rows = cell.train[TARGET], len(cell.holdout)
    if request.classes is None:
        middle = target.median() if cell.metric == "mae" else target.mean()
        return loss_of(cell, request, np.full(rows, float(middle)))
    counts = np.bincount(class_codes(target, request.classes), minlength=len(request.classes))
    return loss_of(cell, request, np.tile(counts / counts.sum(), (rows, 1)))


def one_cell(cell: Cell, families: list[str]) -> dict[str, tuple[float, float]]:
    """Family, or ``everfit`` → loss on the holdout and CPU seconds."""
    found: dict[str, tuple[float, float]] = {}
    scores: dict[str, float] = {}
    frame = cell.train
    if cell.time is None:  # the prepared table is in the order of row digests
        frame = frame.sample(frac=1, random_state=cell.seed, ignore_index=True)
    for name in families:
        request = request_of(cell, FamilySpec(name=name))
        began = time.process_time()
        with threadpool_limits(limits=request.threads):
            fitted = fit_family(request, frame.copy())
        spent = time.process_time() - began
        predicted = predict_scores(fitted.model, cell.holdout, request.task)
        found[name] = (loss_of(cell, request, predicted), spent)
        scores[name] = -METRICS[cell.metric].sign * fitted.score
    own = [family.name for family in DEFAULTS.families]
    if all(name in found for name in own):
        chosen = min(own, key=lambda name: scores[name])
        found[EVERFIT] = (found[chosen][0], sum(found[name][1] for name in own))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--families", nargs="+", default=["linear", "boosting", "gradient_boosting"]
    )
    given = parser.parse_args()
    regrets: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    wins: dict[str, int] = {}
    # Libraries are imported here, and not on the first cell's account.
    one_cell(next(cells(["wine"], 1)), given.families)
    for cell in cells(given.tables, given.seeds):
        found = one_cell(cell, given.families)
        lowest = min(loss for loss, _ in found.values())
        best = lowest if cell.bayes is None else min(lowest, cell.bayes)
        dummy = dummy_loss(cell, request_of(cell, FamilySpec(name="linear")))
        words = []
        for name, (loss, spent) in found.items():
            regret = (loss - best) / (dummy - best)
            regrets.setdefault(name, []).append(regret)
            cpu.setdefault(name, []).append(spent)
            wins[name] = wins.get(name, 0) + (loss == lowest)
            words.append(f"{name} {loss:.5g} ({regret:.1%}, {spent:.1f} s)")
        print(f"{cell.name}, {len(cell.train):,} rows: {', '.join(words)}", flush=True)
    figures = {
        name: {
            "regret": float(np.mean(regrets[name])),
            "cpu": float(np.sum(cpu[name])),
            "wins": wins[name],
        }
        for name in regrets
    }
    for name, figure in figures.items():
        print(
            f"{name}: regret {figure['regret']:.2%}, CPU {figure['cpu']:.1f} s, "
            f"wins {figure['wins']} of {len(regrets[name])}"
        )
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
