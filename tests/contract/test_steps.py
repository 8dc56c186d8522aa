"""Every component has a step, found by its name, whose types say what it reads and publishes."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import get_args, get_origin, get_type_hints

import pytest

from everfit.contracts.base import Frozen
from everfit.contracts.messages.steps import Component
from everfit.engine import step as contract
from everfit.engine.context import Context
from everfit.engine.step import Step, StepReport, load_step

COMPONENTS = get_args(Component)
ROOT = Path(__file__).resolve().parents[2]


def test_every_folder_of_steps_is_a_component() -> None:
    folder = ROOT / "pipeline_components" / "everfit" / "steps"
    assert sorted(path.parent.name for path in folder.glob("*/step.py")) == sorted(COMPONENTS)


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_has_the_step_of_its_name(component) -> None:
    step = load_step(component)
    assert type(step).__name__.lower() == component.replace("_", "")
    assert step.name == component
    assert isinstance(vars(type(step))["cached"], bool)


@pytest.mark.parametrize("component", COMPONENTS)
def test_its_request_and_result_are_what_its_methods_say(component) -> None:
    kind = type(load_step(component))
    (base,) = [b for b in kind.__orig_bases__ if get_origin(b) is Step]
    request, result = get_args(base)
    assert issubclass(request, Frozen)
    assert issubclass(result, Frozen)
    assert kind.result_type is result
    assert get_type_hints(kind.request)["return"] is request
    assert get_type_hints(kind.run) == {"request": request, "context": Context, "return": result}
    assert get_type_hints(kind.record)["return"] is type(None)
    assert get_type_hints(kind.report)["return"] is StepReport


def test_a_module_without_its_class_is_refused(monkeypatch) -> None:
    empty = ModuleType("everfit.steps.gate.step")
    monkeypatch.setattr(contract.importlib, "import_module", lambda name: empty)
    with pytest.raises(TypeError, match=r"must define class Gate\(Step\) of name gate"):
        load_step("gate")


def test_only_new_work_is_news_unless_a_step_knows_better() -> None:
    train = load_step("train")
    assert train.is_news(None, None, None, False)
    assert not train.is_news(None, None, None, True)
