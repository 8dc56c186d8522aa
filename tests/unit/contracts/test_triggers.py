"""Triggers as a spec writes them: what is read, and one clear line for each mistake."""

from __future__ import annotations

from datetime import datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline_components.contracts.errors import SpecError
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.spec_file import load_spec
from pipeline_components.contracts.triggers import TriggerSpec, is_cron

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
    kinds = [condition.given for condition in triggers.conditions()]
    assert kinds == ["schedule", "new_data", "drift", "decay", "code"]
    assert triggers.of_kind("decay")[0].lasting == "2 of 3"
    assert triggers.of_kind("decay")[0].off_below.value == 0.025


def test_a_spec_survives_being_written_and_read(tmp_path):
    spec = load(tmp_path, "2 of 3: [code: true, new_data: {}, any: [drift: {for: 1 of 2}]]")
    assert PipelineSpec.model_validate_json(spec.model_dump_json()) == spec
    assert spec.triggers.some.needed == 2


@pytest.mark.parametrize(
    ("triggers", "line"),
    [
        (
            "any: [schedule: 0 3 * * 1, new_data: {}, drift: {for: 2 in 3}]",
            "triggers.any.2.drift.for: so many of the last ones are written 2 of 3",
        ),
        (
            "schedule: 61 3 * * 1",
            "triggers.schedule: a schedule is five cron fields of numbers: minute hour day month "
            "weekday, as in 0 3 * * 1",
        ),
        ("schedule: 0 0 31 2,4 *", "triggers.schedule: no month it names has such a day"),
        (
            "any: [drift: {fr: 2 of 3}]",
            "triggers.any.0.drift.fr: is no field here; did you mean 'for'?",
        ),
        (
            "any: [new_dat: {}]",
            "triggers.any.0.new_dat: is no field here; did you mean 'new_data'?",
        ),
        (
            "any: [{schedule: 0 3 * * 1, new_data: {}}]",
            "triggers.any.0: a condition is one of schedule, new_data, drift, decay, code, any, "
            "all or 2 of 3",
        ),
        ("any: []", "triggers.any: a group holds at least one condition"),
        ("any: {code: true}", "triggers.any: is a list"),
        ("any: [code]", "triggers.any.0: is a mapping of field names to values"),
        ("2 of 3: [code: true]", "triggers: '2 of 3' stands before a list of 3 conditions"),
        ("3 of 2: [code: true]", "triggers: so many of the last ones are written 2 of 3"),
        (
            "2 of 2: [code: true, new_dta: {}]",
            "triggers.k of n.1.new_dta: is no field here; did you mean 'new_data'?",
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
            "the spec: triggers: decay's metric 'rmsee' is none of a regression: mae, rmse, r2, "
            "median_ae",
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
)  # fmt: skip
def test_a_mistake_is_one_clear_line(tmp_path, triggers, line):
    with pytest.raises(SpecError) as refused:
        load(tmp_path, triggers)
    assert refused.value.problems == (line,)


@given(st.text(alphabet="0123456789*/,- ", max_size=20))
def test_what_is_taken_for_a_cron_expression_is_one(text):
    from cronsim import CronSim, CronSimError

    if not is_cron(text):
        return
    try:
        triggers = TriggerSpec(schedule=text)
    except ValueError:
        with pytest.raises((CronSimError, StopIteration)):
            next(CronSim(text, datetime(2026, 1, 1)))
    else:
        next(CronSim(triggers.schedule, datetime(2026, 1, 1)))
