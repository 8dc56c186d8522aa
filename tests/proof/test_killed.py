"""Evaluate, gate and register killed at every act, reconciled, run again: as if nothing had been.

In between, and whatever was killed: every promise of ``invariants`` holds.
"""

from __future__ import annotations

import pytest

from everfit.operations.chaos.acts import in_child
from tests.points import evenly
from tests.proof.invariants import check_always, check_settled
from tests.proof.lived import STEPS, Lived

# MLflow's own store, on the SQLAlchemy that is pinned here.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The ``noload``:DeprecationWarning"),
]

MOST = {"evaluate": 4, "gate": 6, "register": 12}
"""Points of each step at most, unless all are asked for."""

FEWER = 3
"""Acts that a step may have less than when it was counted."""

MOST_SERVED = {"evaluate": 2, "gate": 3, "register": 6}


@pytest.mark.parametrize(
    ("which", "step"),
    [
        *(pytest.param("first", step, marks=pytest.mark.thorough) for step in STEPS[:-1]),
        ("first", "register"),
        *(("second", step) for step in STEPS),
    ],
)
def test_on_sqlite(on_sqlite: Lived, which: str, step: str, record_property) -> None:
    kill_everywhere(on_sqlite, f"{which} {step}", MOST[step], record_property)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("which", [pytest.param("first", marks=pytest.mark.thorough), "second"])
def test_on_postgresql_and_an_mlflow_server(
    on_services: Lived, which: str, step: str, record_property
) -> None:
    kill_everywhere(on_services, f"{which} {step}", MOST_SERVED[step], record_property)


def kill_everywhere(lived: Lived, name: str, most: int, record_property) -> None:
    carry_out, home = lived.carry_out(name), lived.settings.home
    lived.put_back(name)
    whole = in_child(carry_out, home, before=lived.as_process)
    assert whole.code == 0, whole.said
    assert_seen(whole.acts, name, lived)
    check_settled(lived.settings)
    expected = lived.state()
    points = evenly(range(1, len(whole.acts) + 1), most)
    killed = 0
    for point in points:
        where = f"killed before act {point} of {len(whole.acts)}: {whole.acts[point - 1]}"
        lived.put_back(name)
        ended = in_child(carry_out, home, at=point, before=lived.as_process)
        # A server may be asked once less than the time before: then the last act never comes.
        assert ended.killed or point > len(whole.acts) - FEWER, f"{where}: {ended.said}"
        killed += ended.killed
        try:
            check_always(lived.settings)
            lived.reconcile()
            check_settled(lived.settings)
            lived.again(name)
            check_settled(lived.settings)
            assert lived.state() == expected
        except Exception as error:
            raise AssertionError(where) from error
    record_property("acts", len(whole.acts))
    record_property("killed", killed)
    assert killed >= len(points) - FEWER


def assert_seen(acts: tuple[str, ...], name: str, lived: Lived) -> None:
    """The hooks see what there is to see."""
    kinds = {act.partition(" ")[0] for act in acts}
    assert {"open", "os.link", "os.remove", "fsync"} <= kinds, acts
    if not name.endswith("evaluate"):
        assert "sql" in kinds, acts
    if name.endswith("register") and lived.services:
        assert {"http send", "http reply"} <= set(acts), acts
