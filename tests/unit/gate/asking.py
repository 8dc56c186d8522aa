"""One of the gate's checks, run on its own."""

from __future__ import annotations

from dataclasses import replace

from everfit.contracts.messages.verdicts import Check
from everfit.steps.gate.check import run_checks
from everfit.steps.gate.evidence.evidence import Evidence, Missing
from everfit.steps.gate.find_checks import built_in_checks

MUST_PASS = (
    "GAIN",
    "BUDGET",
    "SERVABLE",
    "SERVE-EQUAL",
    "FINITE",
    "ROWS-SAME",
    "LINEAGE-ROWS",
    "ROWS-ENOUGH",
)
"""As docs/reference/checks.md has them."""
AWAY = Missing("not read")


def ask(request, code: str) -> list[Check]:
    """What one check finds in a request, whatever came of those it needs."""
    (one,) = [one for one in built_in_checks() if one.code == code]
    evidence = Evidence(
        request=request,
        losses=AWAY,
        holdout_rows=AWAY,
        train_rows=AWAY,
        champion_rows=AWAY,
        predictions=AWAY,
        served=AWAY,
    )
    return list(run_checks([replace(one, needs=())], evidence))


def but(request, gate=(), **evaluated):
    """A request with other settings of its gate and other evidence."""
    return request.model_copy(
        update={
            "gate": request.gate.model_copy(update=dict(gate)),
            "evaluated": request.evaluated.model_copy(update=evaluated),
        }
    )
