"""What a run's identity is made of."""

from __future__ import annotations

from importlib.metadata import version

from pipeline_components.identity import CAN_CHANGE_BITS, environment


def test_the_environment_names_the_versions_python_itself_reports() -> None:
    assert {name: environment()[name] for name in CAN_CHANGE_BITS} == {
        name: version(name) for name in CAN_CHANGE_BITS
    }
