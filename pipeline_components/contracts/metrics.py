"""The metrics a spec may name, and what the gate must know of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Task = Literal["regression", "binary", "multiclass"]


@dataclass(frozen=True)
class Metric:
    """What a metric is for and which way is better."""

    name: str
    tasks: tuple[Task, ...]
    greater_is_better: bool
    row_loss: bool
    """True where it is the mean of a loss per row, so paired differences can be tested."""
    title: str


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="mae", tasks=("regression",), greater_is_better=False, row_loss=True,
               title="mean absolute error"),
        Metric(name="rmse", tasks=("regression",), greater_is_better=False, row_loss=False,
               title="root mean squared error"),
        Metric(name="r2", tasks=("regression",), greater_is_better=True, row_loss=False,
               title="coefficient of determination"),
        Metric(name="median_ae", tasks=("regression",), greater_is_better=False, row_loss=False,
               title="median absolute error"),
        Metric(name="roc_auc", tasks=("binary",), greater_is_better=True, row_loss=False,
               title="area under the ROC curve"),
        Metric(name="average_precision", tasks=("binary",), greater_is_better=True,
               row_loss=False, title="average precision"),
        Metric(name="brier", tasks=("binary",), greater_is_better=False, row_loss=True,
               title="Brier score"),
        Metric(name="log_loss", tasks=("binary", "multiclass"), greater_is_better=False,
               row_loss=True, title="log loss"),
        Metric(name="accuracy", tasks=("binary", "multiclass"), greater_is_better=True,
               row_loss=True, title="accuracy"),
        Metric(name="balanced_accuracy", tasks=("binary", "multiclass"), greater_is_better=True,
               row_loss=False, title="balanced accuracy"),
        Metric(name="f1", tasks=("binary",), greater_is_better=True, row_loss=False,
               title="F1 score"),
        Metric(name="f1_macro", tasks=("multiclass",), greater_is_better=True, row_loss=False,
               title="macro F1 score"),
    )
}  # fmt: skip

PRIMARY: dict[Task, str] = {"regression": "mae", "binary": "log_loss", "multiclass": "log_loss"}
"""What candidates are compared by where the gate names no metric of its own."""


def metrics_of(task: Task) -> tuple[str, ...]:
    """The metrics reported for a task, in a fixed order."""
    return tuple(name for name, metric in METRICS.items() if task in metric.tasks)
