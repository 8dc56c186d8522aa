"""Triggers as a spec writes them: what is read, and one clear line for each mistake."""

from __future__ import annotations

import pytest
import yaml

from everfit.contracts.errors import SpecError
from everfit.contracts.spec.load import load_spec
from everfit.contracts.spec.pipeline import PipelineSpec

REST = {
    "task": "regression",
    "target": "fare",
    "source": {"uri": "{data}/m/*.csv"},
    "gate": {"superior_by": "1%", "baseline": "median"},
}

ISSUE = """
any:
  - schedule: "0 3 * * 1"
  - new_data: {min_rows: 5000, min_spans: 1}
  - drift: {on: loss_or_inputs, for: 2 of 3}
  - decay: {metric: mae, worse_by: 5%, for: 2 of 3}
  - code: true
cooldown: 6h
max_staleness: 30d
quiet: "Sat-Sun"
budget: {trainings: 10, per: 30d}
"""


def load(tmp_path, triggers):
    path = tmp_path / "trips.yaml"
    text = triggers if isinstance(triggers, str) else yaml.safe_dump(triggers)
    path.write_text(
        yaml.safe_dump(REST) + "triggers:\n" + "".join(f"  {x}\n" for x in text.splitlines())
    )
    return load_spec(path)


def test_everything_at_once(tmp_path):
    triggers = load(tmp_path, ISSUE).triggers
    kinds = [condition.kind for condition in triggers.conditions()]
    assert kinds == ["schedule", "new_data", "drift", "decay", "code"]
    (decay,) = (one for one in triggers.conditions() if one.kind == "decay")
    assert decay.lasting == "2 of 3"
    assert decay.off_below.value == 0.025


def test_a_spec_survives_being_written_and_read(tmp_path):
    spec = load(tmp_path, "2 of 3: [code: true, new_data: {}, any: [drift: {for: 1 of 2}]]")
    assert PipelineSpec.model_validate_json(spec.model_dump_json()) == spec
    assert spec.triggers.some.needed == 2


@pytest.mark.parametrize(
    ("triggers", "line"),
    [
        (
            "any: [schedule: 0 3 * * 1, new_data: {}, drift: {for: 2 in 3}]",
            "triggers.any.2.drift.for: must be written like 2 of 3, the first number no larger "
            "than the second",
        ),
        (
            "schedule: 61 3 * * 1",
            "triggers.schedule: the minute of a schedule, '61', is not valid; a schedule is a cron "
            "expression such as 0 3 * * MON-FRI, or a name such as @daily",
        ),
        ("schedule: 0 0 31 2,4 *", "triggers.schedule: no month 2,4 has a day 31"),
        (
            "any: [drift: {fr: 2 of 3}]",
            "triggers.any.0.drift.fr: is no field here; did you mean 'for'?",
        ),
        (
            "any: [new_dat: {}]",
            "triggers.any.0: there is no condition 'new_dat'; did you mean 'new_data'?",
        ),
        (
            "any: [{schedule: 0 3 * * 1, new_data: {}}]",
            "triggers.any.0: a condition is one of code, decay, drift, new_data, schedule, any, "
            "all or 2 of 3",
        ),
        ("any: []", "triggers.any: a group holds at least one condition"),
        ("any: {code: true}", "triggers.any: is a list"),
        ("any: [code]", "triggers.any.0: is a mapping of field names to values"),
        ("2 of 3: [code: true]", "triggers: '2 of 3' stands before a list of 3 conditions"),
        (
            "3 of 2: [code: true]",
            "triggers: must be written like 2 of 3, the first number no larger than the second",
        ),
        (
            "2 of 2: [code: true, new_dta: {}]",
            "triggers.k of n.1: there is no condition 'new_dta'; did you mean 'new_data'?",
        ),
        (
            "{any: [code: true], all: [code: true]}",
            "triggers: conditions stand in one group, not in any and all",
        ),
        (
            "any: [decay: {until: 6%}]",
            "triggers.any.0.decay: until is at most worse_by: it switches off what worse_by "
            "switched on",
        ),
        (
            "any: [all: [decay: {worse_by: 5 percent}]]",
            "triggers.any.0.all.0.decay.worse_by: a margin is a percentage such as 1% or a number",
        ),
        (
            "any: [decay: {metric: rmsee}]",
            "the spec: triggers: decay.metric: 'rmsee' is no metric of a regression; did you mean "
            "'rmse'?",
        ),
        (
            "cooldown: 6 hours",
            "triggers.cooldown: a length of time is a whole number with m, h, d or w, such as 6h "
            "or 30d",
        ),
        ("cooldown: 0h", "triggers.cooldown: a length of time is more than 0"),
        ("cooldown: 6", "triggers.cooldown: is text; a number stands in quotes"),
        ("budget: 10", "triggers.budget: is a mapping of field names to values"),
        ("budget: {trainings: 1}", "triggers.budget.per: is required"),
        ("timezone: Berlin", "triggers.timezone: a timezone is an IANA name such as Europe/Berlin"),
        ("cooldwn: 6h", "triggers.cooldwn: is no field here; did you mean 'cooldown'?"),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path, triggers, line):
    with pytest.raises(SpecError) as refused:
        load(tmp_path, triggers)
    assert refused.value.problems == (line,)
