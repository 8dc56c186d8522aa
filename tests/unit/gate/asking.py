"""One question of the registry, asked on its own."""

from __future__ import annotations

from dataclasses import replace

from pipeline_components.contracts.verdicts import Check
from pipeline_components.gate.evidence import Evidence, Missing
from pipeline_components.gate.question import ask_all
from pipeline_components.gate.registry import QUESTIONS

AWAY = Missing("not read")


def ask(request, code: str) -> list[Check]:
    """What one question says of a request, whatever came of those it needs."""
    (question,) = [question for question in QUESTIONS if question.code == code]
    evidence = Evidence(
        request=request, losses=AWAY, holdout_rows=AWAY, train_rows=AWAY, champion_rows=AWAY,
        predictions=AWAY, served=AWAY,
    )  # fmt: skip
    return list(ask_all([replace(question, needs=())], evidence))


def but(request, gate=(), **evaluated):
    """A request with other settings of its gate and other evidence."""
    return request.model_copy(
        update={
            "gate": request.gate.model_copy(update=dict(gate)),
            "evaluated": request.evaluated.model_copy(update=evaluated),
        }
    )
