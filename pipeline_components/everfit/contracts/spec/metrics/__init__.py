"""The metrics a spec may name: each is a file of this folder, and the folder is the list."""

from __future__ import annotations

import pkgutil
from difflib import get_close_matches
from importlib import import_module

from everfit.contracts.spec.metric import Metric as Metric
from everfit.contracts.spec.metric import Task as Task

__all__ = [
    "METRICS",
    "PRIMARY",
    "Metric",
    "Task",
    "metric_problem",
    "metric_title",
    "metric_unit",
    "metrics_of",
]


def _found() -> dict[str, Metric]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: import_module(f"{__name__}.{name}").METRIC for name in names}


METRICS: dict[str, Metric] = _found()
"""Name → metric, in the order of the names."""

PRIMARY: dict[Task, str] = {"regression": "mae", "binary": "log_loss", "multiclass": "log_loss"}
"""What candidates are compared by where the gate names no metric of its own."""


def metrics_of(task: Task) -> tuple[str, ...]:
    """The metrics reported for a task, in a fixed order."""
    return tuple(name for name, metric in METRICS.items() if task in metric.tasks)


def metric_title(name: str) -> str:
    """A metric's name as people write it; of a name that is no metric, its words.

    Examples
    --------
    >>> metric_title("mae"), metric_title("r2"), metric_title("log_loss")
    ('MAE', 'R²', 'log loss')
    >>> metric_title("true_positive_rate")
    'true positive rate'
    """
    return METRICS[name].title if name in METRICS else name.replace("_", " ")


def metric_unit(name: str, target_unit: str | None) -> str | None:
    """The unit of a metric's scores, given that of the target; None where they have none.

    Examples
    --------
    >>> metric_unit("mae", "$"), metric_unit("r2", "$"), metric_unit("mean_error", "$")
    ('$', None, '$')
    """
    in_unit = METRICS[name].in_target_unit if name in METRICS else name == "mean_error"
    return target_unit if in_unit else None


def metric_problem(name: str, task: Task) -> str | None:
    """Say why a task has no metric of that name, and which may be meant; None where it has one.

    Examples
    --------
    >>> metric_problem("rmsee", "regression")
    "'rmsee' is no metric of a regression; did you mean 'rmse'?"
    >>> metric_problem("rmse", "regression") is None
    True
    """
    known = metrics_of(task)
    if name in known:
        return None
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    return f"{name!r} is no metric of a {task}; {hint}"
