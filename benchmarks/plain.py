"""The same job as a plain best-practice script: pandas, scikit-learn and MLflow, no framework.

What a careful engineer writes in one file: read the months, look at them, hold out the newest,
search three families with cross-validation, score the best with intervals and pictures, compare
with the registered champion on the same rows, register and move the alias. One thread.

    python benchmarks/plain.py DATA_FOLDER WORK_FOLDER
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
data, work = Path(sys.argv[1]), Path(sys.argv[2])
stages: dict[str, float] = {}


def stage(name: str, began: float) -> float:
    now = time.process_time()
    stages[name] = round(now - began, 2)
    return now


clock = time.process_time()

# ingest
import pandas as pd  # noqa: E402

paths = sorted(data.glob("*.csv"))
months = [pd.read_csv(path, engine="pyarrow", parse_dates=["at"]) for path in paths]
clock = stage("ingest", clock)

# validate
summaries = [month.describe(include="all").to_dict() for month in months]
for month in months:
    assert set(month.columns) == set(months[0].columns)
    assert month["bought"].isin([0, 1]).all()
    assert month.isna().mean().max() < 0.5
    assert month.duplicated().mean() < 0.5
clock = stage("validate", clock)

# prepare
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.impute import SimpleImputer  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler  # noqa: E402

train = pd.concat(months[:-1]).drop_duplicates().sort_values("at", kind="stable")
holdout = months[-1].drop_duplicates().sort_values("at", kind="stable")
target = "bought"
numbers = [c for c in train.columns if c.startswith("number_")]
few = [c for c in train.columns if c.startswith("category_") and train[c].nunique() <= 40]
many = [c for c in train.columns if c.startswith("category_") and train[c].nunique() > 40]
for frame in (train, holdout):
    frame["hour"], frame["weekday"] = frame["at"].dt.hour, frame["at"].dt.dayofweek
numbers += ["hour", "weekday"]
features = numbers + few + many


def columns(scale: bool) -> ColumnTransformer:
    number_steps = [SimpleImputer(), StandardScaler()] if scale else [SimpleImputer()]
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(*number_steps), numbers),
            ("few", OneHotEncoder(handle_unknown="ignore", sparse_output=False), few),
            (
                "many",
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                many,
            ),
        ]
    )


clock = stage("prepare", clock)

# train: three families, two settings each, two folds in time order, then refit the best
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit  # noqa: E402

families = {
    "linear": (columns(True), LogisticRegression(max_iter=1000), {"model__C": [1.0, 0.1]}),
    "gradient_boosting": (
        columns(False),
        HistGradientBoostingClassifier(random_state=0),
        {"model__learning_rate": [0.1, 0.05]},
    ),
    "random_forest": (
        columns(False),
        RandomForestClassifier(100, random_state=0),
        {"model__min_samples_leaf": [5, 20]},
    ),
}
from sklearn.pipeline import Pipeline  # noqa: E402

fitted = {}
for name, (before, model, space) in families.items():
    search = GridSearchCV(
        Pipeline([("columns", before), ("model", model)]),
        space,
        scoring="neg_log_loss",
        cv=TimeSeriesSplit(2),
        n_jobs=1,
    )
    fitted[name] = search.fit(train[features], train[target])
best_name = max(fitted, key=lambda name: fitted[name].best_score_)
best = fitted[best_name].best_estimator_
clock = stage("train", clock)

# evaluate: metrics with bootstrap intervals, importances, pictures
import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from sklearn.calibration import calibration_curve  # noqa: E402
from sklearn.inspection import permutation_importance  # noqa: E402
from sklearn.metrics import (  # noqa: E402
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    roc_auc_score,
    roc_curve,
)

random = np.random.default_rng(0)
truth = holdout[target].to_numpy()


def losses(probability: np.ndarray) -> np.ndarray:
    clipped = probability.clip(1e-15, 1 - 1e-15)
    return -np.where(truth == 1, np.log(clipped), np.log(1 - clipped))


def interval(values: np.ndarray, times: int = 200) -> tuple[float, float]:
    means = [values[random.integers(0, len(values), len(values))].mean() for _ in range(times)]
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


probability = best.predict_proba(holdout[features])[:, 1]
scores = {
    "log_loss": log_loss(truth, probability),
    "roc_auc": roc_auc_score(truth, probability),
    "average_precision": average_precision_score(truth, probability),
    "brier": brier_score_loss(truth, probability),
    "accuracy": accuracy_score(truth, probability > 0.5),
    "f1": f1_score(truth, probability > 0.5),
}
scores["log_loss_low"], scores["log_loss_high"] = interval(losses(probability))
sample = holdout.sample(min(2000, len(holdout)), random_state=0)
importance = permutation_importance(
    best, sample[features], sample[target], scoring="neg_log_loss", n_repeats=2, random_state=0
)
pictures = work / "pictures"
pictures.mkdir(parents=True, exist_ok=True)
figure = Figure(figsize=(8, 4))
left, right = figure.subplots(1, 2)
left.plot(*roc_curve(truth, probability)[:2])
right.plot(*calibration_curve(truth, probability, n_bins=10)[::-1])
figure.savefig(pictures / "roc_calibration.svg")
figure = Figure(figsize=(6, 5))
figure.subplots().barh(features, importance.importances_mean)
figure.savefig(pictures / "importances.svg")
clock = stage("evaluate", clock)

# compare with the champion on the same rows, or with the class prior at first
import mlflow  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

mlflow.set_tracking_uri(f"sqlite:///{work / 'mlflow.db'}")
client = MlflowClient()
name = "plain"
try:
    champion = client.get_model_version_by_alias(name, "champion")
    before = mlflow.sklearn.load_model(f"models:/{name}@champion")
    base = losses(before.predict_proba(holdout[features])[:, 1])
except MlflowException:
    base = losses(np.full(len(truth), train[target].mean()))
gain = base - losses(probability)
low, high = interval(gain)
promote = low >= 0.01 * base.mean()
clock = stage("compare", clock)

# register
if client.get_experiment_by_name(name) is None:
    client.create_experiment(name, artifact_location=str(work / "artifacts"))
mlflow.set_experiment(name)
with mlflow.start_run() as run:
    mlflow.log_params({"family": best_name, **fitted[best_name].best_params_})
    mlflow.log_metrics({k: float(v) for k, v in scores.items()} | {"gain_low": low})
    mlflow.log_artifacts(str(pictures), "pictures")
    if promote:
        mlflow.sklearn.log_model(
            best,
            name="model",
            registered_model_name=name,
            serialization_format="skops",
            skops_trusted_types=[
                "numpy.dtype",
                "sklearn.tree._tree.Tree",
                "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
                "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
                "sklearn._loss.link.Interval",
                "sklearn._loss.link.LogitLink",
                "sklearn._loss._loss.CyHalfBinomialLoss",
                "sklearn._loss.loss.HalfBinomialLoss",
                "sklearn.compose._column_transformer._RemainderColsList",
            ],
            pip_requirements=["scikit-learn", "skops", "pandas"],
            input_example=holdout[features].head(3),
        )
        version = max(int(v.version) for v in client.search_model_versions(f"name='{name}'"))
        client.set_registered_model_alias(name, "champion", str(version))
clock = stage("register", clock)
print(json.dumps({"stages": stages, "best": best_name, "log_loss": round(scores["log_loss"], 4)}))
