"""The metrics a spec may name, and their names as people write them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from everfit.contracts.spec.metrics import METRICS, PRIMARY, metric_title, metrics_of

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(
    ("name", "title"),
    [("mae", "MAE"), ("rmse", "RMSE"), ("r2", "R²"), ("roc_auc", "ROC AUC"), ("f1", "F1")],
)
def test_a_metric_is_shown_by_the_name_people_write(name: str, title: str) -> None:
    assert metric_title(name) == title


def test_a_group_metric_is_shown_in_words() -> None:
    assert metric_title("true_positive_rate") == "true positive rate"


def test_a_metric_is_named_in_full_once() -> None:
    assert METRICS["mae"].full_title == "MAE (mean absolute error)"
    assert METRICS["log_loss"].full_title == "log loss"


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_named_after_its_file_and_says_all_of_itself(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert metric.title and metric.words and metric.meaning and metric.tasks
    assert metric.lowest < metric.highest
    assert metric.in_target_unit <= (metric.reads == "number")
    assert metric.mean_of_losses <= (metric.of_mean_loss is not None)


def test_every_task_has_its_primary_metric() -> None:
    for task, name in PRIMARY.items():
        assert name in metrics_of(task)


def test_the_documentation_lists_every_metric_in_its_own_words() -> None:
    rows = re.findall(
        r"^\| ([a-z, ]+) \| `(\w+)`.*$", (DOCS / "reference" / "metrics.md").read_text(), re.M
    )
    assert {name: tasks for tasks, name in rows} == {
        name: ", ".join(metric.tasks) for name, metric in METRICS.items()
    }
    for line in re.findall(
        r"^\| [a-z, ]+ \| `\w+`.*$", (DOCS / "reference" / "metrics.md").read_text(), re.M
    ):
        _, _, called, title, better, meaning, loss, _ = map(str.strip, line.split("|"))
        metric = METRICS[called.split("`")[1]]
        assert (title, meaning, loss) == (metric.title, metric.meaning, metric.row_loss.title)
        assert better == ("more" if metric.greater_is_better else "less")
        defaults = metric.name in PRIMARY.values()
        assert ("(primary by default)" in called) == defaults


def test_the_metrics_are_known_where_no_array_library_is() -> None:
    """The Airflow image holds the contracts, and no numpy."""
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "from everfit.contracts.spec.metrics import METRICS\n"
        "print(len(METRICS))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) == len(METRICS)
