"""Losses of one row that several metrics go with."""

from __future__ import annotations

import sys

from everfit.contracts.spec.metric import Array, Arrays, RowLoss, Rows


def _absolute_error(rows: Rows, xp: Arrays) -> Array:  # noqa: ARG001
    return abs(rows.prediction - rows.truth)


def _squared_error(rows: Rows, xp: Arrays) -> Array:  # noqa: ARG001
    return (rows.prediction - rows.truth) ** 2


def _log_loss(rows: Rows, xp: Arrays) -> Array:
    return -xp.log(
        xp.clip(rows.true_class_probability, sys.float_info.epsilon, 1 - sys.float_info.epsilon)
    )


def _error(rows: Rows, xp: Arrays) -> Array:  # noqa: ARG001
    return 1 - rows.is_correct


ABSOLUTE_ERROR = RowLoss("absolute error", _absolute_error)
SQUARED_ERROR = RowLoss("squared error", _squared_error)
LOG_LOSS = RowLoss("log loss", _log_loss)
"""Probabilities are kept 2.2e-16 away from 0 and 1, as in scikit-learn."""
ERROR = RowLoss("error (0 or 1)", _error)
"""The most probable class is not the true one."""
