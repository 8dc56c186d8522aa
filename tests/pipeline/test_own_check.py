"""A check of the user's through the whole chain: it vetoes, and once fixed it is asked anew."""

from __future__ import annotations

import importlib
import sys

import pytest

from everfit.contracts.errors import NothingToDo

CHECK = """
from everfit.checks import Finding

def not_too_many(candidate):
    state = "failed" if len(candidate.holdout) > {most} else "passed"
    return Finding(state, f"{{len(candidate.holdout)}} rows.", forces="reject")
"""


@pytest.fixture
def firm(tmp_path, monkeypatch):
    folder = tmp_path / "installed" / "my_firm"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(folder.parent))

    def write(most):
        (folder / "checks.py").write_text(CHECK.format(most=most))
        importlib.invalidate_caches()
        for known in [m for m in sys.modules if m.startswith("my_firm")]:
            del sys.modules[known]

    yield write
    for known in [m for m in sys.modules if m.startswith("my_firm")]:
        del sys.modules[known]


def test_a_check_of_one_s_own_vetoes_until_it_is_mended(world, firm) -> None:
    firm(most=10)
    world.spec["gate"] |= {
        "checks": ["my_firm.checks.not_too_many"],
        "stability": {},
        "max_latency_ms": 10_000,
        "max_size_mb": 100,
    }
    world.months(4)
    first = world.result(world.run(), "gate")
    states = {check.code: check.state for check in first.checks}
    assert (first.verdict, states["OWN:not_too_many"]) == ("reject", "failed")
    assert {states[code] for code in ("STABILITY", "LATENCY", "SIZE", "SERVE-EQUAL")} == {"passed"}
    assert states["SIGNATURE"] == "not_applicable"

    with pytest.raises(NothingToDo, match="nothing changed"):
        world.run()

    firm(most=10_000)
    again = world.run()
    fixed = world.result(again, "gate")
    assert fixed.verdict == "promote"
    assert fixed.checks[-1].message.endswith(" rows.")
    assert world.context.ledger.champion("quick") is not None
    assert [outcome.cached for outcome in again if outcome.component == "train"] == [True]


@pytest.mark.thorough
def test_a_check_that_is_gone_holds_the_candidate(world) -> None:
    world.spec["gate"]["checks"] = ["my_firm_is_gone.checks.one"]
    world.months(4)
    found = world.result(world.run(), "gate")
    assert found.verdict == "hold"
    assert found.because.startswith("The check my_firm_is_gone.checks.one: a check's import path")
