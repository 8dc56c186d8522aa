"""The examples of ``docs/explanation/triggers.md`` are what Everfit reads and says."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from everfit.cli.commands.triggers import fold, lines
from everfit.contracts.spec.triggers import TriggerSpec
from everfit.contracts.spec.triggers.kinds import KINDS
from tests.unit.plan.simulated_chain import chain

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "explanation" / "triggers.md").read_text()
EXAMPLES = [
    yaml.safe_load(block.replace(" on:", ' "on":').replace("{on:", '{"on":'))["triggers"]
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
]


@pytest.mark.parametrize("triggers", EXAMPLES, ids=str)
def test_the_examples_are_triggers(triggers):
    assert TriggerSpec.model_validate(triggers).when is not None


def test_two_of_three_is_read_as_explained():
    groups = next(TriggerSpec.model_validate(one).some for one in EXAMPLES if "2 of 3" in one)
    assert (groups.needed, len(groups.conditions)) == (2, 3)
    assert [member.kind for member in groups.conditions[2].conditions] == ["schedule", "code"]


def test_every_condition_is_explained():
    own = [name for kind in KINDS.values() for name in kind.model_fields if name != "kind"]
    aliases = {"lasting": "for", "cron": "schedule"}
    fields = [name for name in TriggerSpec.model_fields if name != "some"]
    every = [aliases.get(name, name) for name in (*KINDS, *own, *fields)]
    assert [name for name in every if not re.search(rf"`{name}\b", PAGE)] == []


def test_the_record_is_as_shown(context):
    with chain(context, EXAMPLES[-1]) as days:
        days.arrive()
        days.arrive()
        days.sweep()
        days.wake()
        days.now += timedelta(minutes=11)
        days.sweep()
        days.arrive()
        for _ in range(24):
            days.now += timedelta(minutes=15)
            if days.sweep().signals:
                days.wake()
        records = days.context.ledger.evaluations("days", 100)[::-1]
    shown = "\n".join("".join(f"{line}\n" for line in lines(one)) for one in fold(records))
    expected = re.search(r"<!-- example -->\n```\n(.*?)```", PAGE, re.DOTALL)[1]
    assert shown == expected
