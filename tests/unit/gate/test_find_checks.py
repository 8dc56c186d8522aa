"""A gate check is one file in ``checks/``: what is found there, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from everfit.steps.gate import checks
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.find_checks import built_in_checks, in_order
from everfit.steps.gate.finding import Finding


def gate_check(code: str, position: int, needs: tuple[str, ...] = ()) -> GateCheck:
    return GateCheck(code, code, "error", position, lambda e: Finding("passed", "Yes."), needs)


def test_every_module_is_named_after_its_check():
    files = {path.stem for path in Path(checks.__file__).parent.glob("*.py")} - {"__init__"}
    assert {one.code.lower().replace("-", "_") for one in built_in_checks()} == files


def test_checks_run_in_the_order_of_their_positions():
    positions = [one.position for one in built_in_checks()]
    assert positions == sorted(positions)
    late, early = gate_check("LATE", 2), gate_check("EARLY", 1)
    assert in_order([late, early]) == (early, late)


def test_a_new_file_is_a_new_check(tmp_path, monkeypatch):
    (tmp_path / "even_rows.py").write_text(
        "from everfit.steps.gate.check import GateCheck\n"
        "from everfit.steps.gate.finding import Finding\n\n\n"
        "def assess(evidence):\n"
        "    return Finding('passed', 'The number of rows is even.')\n\n\n"
        "CHECK = GateCheck('EVEN-ROWS', 'Even rows', 'warning', 15, assess)\n"
    )
    before = [one.code for one in built_in_checks()]
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path)])
    built_in_checks.cache_clear()
    try:
        after = [one.code for one in built_in_checks()]
    finally:
        built_in_checks.cache_clear()
    # position 15 lies between the first check, at 10, and the second, at 20
    assert after == [before[0], "EVEN-ROWS", *before[1:]]


def test_a_module_without_a_check_is_refused(tmp_path, monkeypatch):
    (tmp_path / "nothing.py").write_text("CHECK = None\n")
    monkeypatch.setattr(checks, "__path__", [str(tmp_path)])
    built_in_checks.cache_clear()
    try:
        with pytest.raises(TypeError, match=r"checks\.nothing must hold a GateCheck named CHECK"):
            built_in_checks()
    finally:
        built_in_checks.cache_clear()


@pytest.mark.parametrize(
    "found",
    [
        [gate_check("A", 1), gate_check("A", 2)],
        [gate_check("A", 1), gate_check("B", 1)],
        [gate_check("A", 1, ("B",)), gate_check("B", 2)],
        [gate_check("A", 1, ("GONE",))],
    ],
)
def test_checks_that_contradict_each_other_are_refused(found):
    with pytest.raises(ValueError, match="gate check"):
        in_order(found)
