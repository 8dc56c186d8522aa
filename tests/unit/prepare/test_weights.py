"""The weight of each row: read, refused by name, kept apart from features, and told."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from everfit.contracts.errors import SourceError
from everfit.contracts.messages.training import Weights
from everfit.contracts.spec.pipeline import FeatureSpec
from everfit.data.tables.frames import WEIGHT
from everfit.steps.prepare.report.rows_left_out import PLACE, with_rows_left_out
from tests.unit.prepare.test_assemble import prepare


def table(first, rows, weight):
    places = np.arange(first, first + rows)
    columns = {"x": places * 0.5, "y": places * 1.0, "w": pa.array(weight, pa.float64())}
    return pa.table(columns)


def features_of(result):
    return [one.name for one in result.columns if one.role == "feature"]


def test_weights_are_in_units_of_the_training_rows_mean(context):
    result, train, holdout = prepare(
        context, [table(0, 40, [1.0, 3.0] * 20)], [table(40, 4, [4.0, 4.0, 0.0, 4.0])], weight="w"
    )
    assert sorted(set(train[WEIGHT].to_pylist())) == [0.5, 1.5]
    assert sorted(holdout[WEIGHT].to_pylist()) == [0.0, 2.0, 2.0, 2.0]
    assert result.weights.by == "w"
    assert (result.weights.train, result.weights.holdout) == pytest.approx((32.0, 3.0))


def test_each_row_keeps_its_own_weight(context):
    weight = np.linspace(1, 2, 40)
    _, train, holdout = prepare(
        context, [table(0, 40, weight)], [table(40, 10, np.linspace(2, 3, 10))], weight="w * 2"
    )
    for rows in (train, holdout):
        expected = rows["w"].to_numpy() / weight.mean()
        assert rows[WEIGHT].to_numpy() == pytest.approx(expected)


def test_a_weight_column_is_no_feature_unless_it_is_kept(context):
    rows = ([table(0, 40, [1.0] * 40)], [table(40, 9, [1.0] * 9)])
    result, train, _ = prepare(context, *rows, weight="w")
    assert features_of(result) == ["x"]
    assert "w" not in train.column_names
    kept, _, _ = prepare(context, *rows, weight="w", features=FeatureSpec(keep=("w",)))
    assert features_of(kept) == ["x", "w"]


def test_columns_of_an_expression_stay_features(context):
    result, _, _ = prepare(
        context, [table(0, 40, [1.0] * 40)], [table(40, 9, [2.0] * 9)], weight="where(w > 1, 5, 1)"
    )
    assert features_of(result) == ["x", "w"]
    assert result.weights.by == "where(w > 1, 5, 1)"


def test_a_row_without_a_target_needs_no_weight(context):
    window = table(0, 40, [1.0] * 39 + [None])
    window = window.set_column(1, "y", pa.array([*range(39), None], pa.float64()))
    result, _, _ = prepare(context, [window], [table(40, 9, [2.0] * 9)], weight="w")
    assert result.dropped == {"target_missing": 1}


@pytest.mark.parametrize(
    ("bad", "shown"),
    [(-2.0, "-2 (w = -2.0)"), (None, "missing (w = nan)"), (float("nan"), "missing (w = nan)")],
)
def test_a_bad_weight_is_named_with_its_span_and_the_setting(context, bad, shown):
    with pytest.raises(SourceError) as caught:
        prepare(context, [table(0, 40, [1.0] * 39 + [bad])], [table(40, 9, [1.0] * 9)], weight="w")
    line = caught.value.line
    assert line.startswith("PREPARE-WEIGHT span w0, weight 'w'")
    assert f"1 of 40 rows have another: the first is {shown}" in line
    assert "validation.rows" in line


def test_an_infinite_weight_is_refused(context):
    with pytest.raises(SourceError, match="PREPARE-WEIGHT"):
        prepare(
            context,
            [table(0, 40, [1.0] * 39 + [float("inf")])],
            [table(40, 9, [1.0] * 9)],
            weight="w",
        )


@pytest.mark.parametrize(("train", "holdout", "what"), [(0, 1, "training"), (1, 0, "holdout")])
def test_weights_that_are_all_zero_are_refused(context, train, holdout, what):
    with pytest.raises(SourceError, match=f"PREPARE-WEIGHT {what} rows.*have weight 0"):
        prepare(
            context,
            [table(0, 40, [float(train)] * 40)],
            [table(40, 9, [float(holdout)] * 9)],
            weight="w",
        )


def test_a_text_is_no_weight(context):
    words = table(0, 40, [1.0] * 40).append_column("kind", pa.array(["a"] * 40))
    more = table(40, 9, [1.0] * 9).append_column("kind", pa.array(["b"] * 9))
    with pytest.raises(SourceError, match=r"PREPARE-WEIGHT.*gives texts or times"):
        prepare(context, [words], [more], weight="kind")


def test_a_weight_by_an_absent_column_is_refused(context):
    with pytest.raises(SourceError, match="PREPARE-COLUMN weight"):
        prepare(context, [table(0, 40, [1.0] * 40)], [table(40, 9, [1.0] * 9)], weight="v")


def test_without_a_weight_tables_and_result_are_as_before(context):
    result, train, _ = prepare(context, [table(0, 40, [1.0] * 40)], [table(40, 9, [1.0] * 9)])
    assert WEIGHT not in train.column_names
    assert "weights" not in result.model_dump()
    assert features_of(result) == ["x", "w"]


def test_the_data_report_says_how_rows_are_weighted():
    weights = Weights(by="a < b", train=812.4, holdout=95.0)
    page = with_rows_left_out(PLACE, {}, 100, weights).decode()
    assert "Weighted by a &lt; b: as sure as 812 training rows and 95 holdout rows" in page
    assert "Weighted" not in with_rows_left_out(PLACE, {}, 100).decode()
