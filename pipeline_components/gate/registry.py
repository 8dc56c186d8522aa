"""Every check of the gate, in the order asked."""

from __future__ import annotations

from .check_budget import budget
from .check_calibration import calibration
from .check_fairness import fairness
from .check_gain import gain
from .check_lineage import entities_apart, rows_apart, same_rows, spans_apart
from .check_power import power
from .check_serving import latency, servable, serves_equal, size
from .check_signature import signature
from .check_slices import slices
from .check_soundness import enough_rows, finite, limits
from .check_stability import stability
from .question import Question

QUESTIONS: tuple[Question, ...] = (
    Question("ROWS-ENOUGH", "Enough holdout rows", "error", enough_rows),
    Question("ROWS-SAME", "Both models scored the same rows", "error", same_rows),
    Question("LINEAGE-SPANS", "No holdout span was trained on", "error", spans_apart),
    Question("LINEAGE-ROWS", "No holdout row was trained on", "error", rows_apart),
    Question("LINEAGE-ENTITIES", "No holdout entity was trained on", "error", entities_apart),
    Question("FINITE", "Everything is finite", "error", finite),
    Question("BUDGET", "One more look at this holdout was affordable", "error", budget),
    Question(
        "GAIN", "Better than the baseline as declared", "error", gain,
        needs=(
            "ROWS-ENOUGH", "ROWS-SAME", "LINEAGE-SPANS", "LINEAGE-ROWS", "LINEAGE-ENTITIES",
            "FINITE", "BUDGET",
        ),
    ),
    Question("POWER", "The holdout could tell a gain worth finding", "warning", power),
    Question("LIMIT", "Absolute limits", "error", limits, needs=("ROWS-ENOUGH",)),
    Question("SERVABLE", "Loads in a clean process and answers", "error", servable),
    Question(
        "SERVE-EQUAL", "Serves what was evaluated", "error", serves_equal, needs=("SERVABLE",)
    ),
    Question("LATENCY", "Answers soon enough", "error", latency, needs=("SERVABLE",)),
    Question("SIZE", "The model file is small enough", "error", size),
    Question("STABILITY", "Stands inputs that are off or missing", "error", stability),
    Question("SIGNATURE", "Fits where the champion is used", "error", signature),
    Question(
        "SLICE", "No slice is surely worse", "error", slices,
        needs=("ROWS-SAME", "LINEAGE-SPANS", "LINEAGE-ROWS", "LINEAGE-ENTITIES"),
    ),
    Question(
        "CALIBRATION", "Probabilities mean what they say", "error", calibration,
        needs=("ROWS-ENOUGH",),
    ),
    Question(
        "FAIRNESS", "Groups are treated alike enough", "error", fairness, needs=("ROWS-ENOUGH",)
    ),
)  # fmt: skip
"""Facts come before what rests on them: see ``Question.needs``."""

CODES = tuple(question.code for question in QUESTIONS)
