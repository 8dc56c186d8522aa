"""Every check of the gate, in the order asked."""

from __future__ import annotations

from .check_gain import gain
from .check_lineage import rows_apart, same_rows, spans_apart
from .check_slices import slices
from .check_soundness import enough_rows, finite, limits, servable
from .question import Question

QUESTIONS: tuple[Question, ...] = (
    Question("ROWS-ENOUGH", "Enough holdout rows", "error", enough_rows),
    Question("ROWS-SAME", "Both models scored the same rows", "error", same_rows),
    Question("LINEAGE-SPANS", "No holdout span was trained on", "error", spans_apart),
    Question("LINEAGE-ROWS", "No holdout row was trained on", "error", rows_apart),
    Question("FINITE", "Everything is finite", "error", finite),
    Question(
        "GAIN", "Better than the baseline as declared", "error", gain,
        needs=("ROWS-ENOUGH", "ROWS-SAME", "LINEAGE-SPANS", "LINEAGE-ROWS", "FINITE"),
    ),
    Question("LIMIT", "Absolute limits", "error", limits, needs=("ROWS-ENOUGH",)),
    Question("SERVABLE", "Loads in a clean process and predicts the same", "error", servable),
    Question("SLICE", "No slice is surely worse", "warning", slices, needs=("ROWS-SAME",)),
)  # fmt: skip
"""Facts come before what rests on them: see ``Question.needs``."""

CODES = tuple(question.code for question in QUESTIONS)
