"""The user's own checks: what they are called with and may answer; none passes by accident."""

from __future__ import annotations

import errno
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from everfit.contracts.errors import Unavailable, UserError
from everfit.engine.fingerprints import own_checks
from everfit.steps.gate.check import run_checks
from everfit.steps.gate.decide import because, decide
from everfit.steps.gate.evidence import read_evidence as reading
from everfit.steps.gate.evidence.evidence import Served
from everfit.steps.gate.evidence.read_evidence import read_evidence
from everfit.steps.gate.find_checks import built_in_checks
from everfit.steps.gate.own_checks import import_check, own_checks_of
from everfit.steps.gate.step import Gate

DOCS = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "own_checks.md"

HEAD = "from everfit.checks import Candidate, Finding, NotAssessed\nimport numpy as np\n"


@pytest.fixture
def company(tmp_path, monkeypatch):
    """Write ``my_company/checks.py`` where Python finds it."""
    folder = tmp_path / "installed" / "my_company"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(folder.parent))

    def write(body, name="checks"):
        (folder / f"{name}.py").write_text(HEAD + body)
        for known in [m for m in sys.modules if m.partition(".")[0] == "my_company"]:
            del sys.modules[known]
        return folder

    yield write
    for known in [m for m in sys.modules if m.partition(".")[0] == "my_company"]:
        del sys.modules[known]


@pytest.fixture
def ask(context, monkeypatch):
    """The checks that a gate with these import paths makes of its own."""
    monkeypatch.setattr(reading, "try_serving", lambda *a, **k: Served(True, "The same.", 20))

    def asked(world, *names, request=lambda request: request):
        paths = [f"my_company.checks.{name}" for name in names]
        made = request(world.but(gate={**world.gate, "checks": paths}).request())
        own = [replace(one, needs=()) for one in own_checks_of(made.gate.checks)]
        return run_checks(own, read_evidence(made, context))

    return asked


def told(check):
    return check.severity, check.state, check.forces


def answers(line):
    return f"def one(candidate):\n    {line}\n"


def test_a_check_passes_and_fails_by_what_it_finds(world, company, ask):
    company(
        "def low(candidate):\n"
        "    worst = float(candidate.predictions.max())\n"
        "    return Finding('failed', f'{worst:.1f} is too much.', forces='reject',\n"
        "                   flip='Less', values={'worst': np.float32(1.5), 'n': np.int64(3)})\n"
        "def fine(candidate: Candidate) -> Finding:\n"
        "    return Finding('passed', '  All\\n is well. ', title='So it is')\n"
    )
    low, fine = ask(world, "low", "fine")
    assert (low.code, low.title) == ("OWN:low", "Low")
    assert told(low) == ("error", "failed", "reject")
    assert low.values == {"worst": 1.5, "n": 3}
    assert (fine.code, fine.title, fine.message) == ("OWN:fine", "So it is", "All is well.")
    assert told(fine) == ("error", "passed", None)


def test_several_findings_of_one_check_and_their_severities(world, company, ask):
    company(
        "def one(candidate):\n"
        "    for severity in ('error', 'warning', 'info', None):\n"
        "        yield Finding('failed', f'{severity}.', severity=severity)\n"
    )
    found = ask(world, "one")
    assert [told(check) for check in found] == [
        ("error", "failed", "hold"),
        ("warning", "failed", None),
        ("info", "failed", None),
        ("error", "failed", "hold"),
    ]


def test_a_check_is_called_with_the_candidate(world, company, ask, served):
    company(
        "def one(candidate):\n"
        "    frame, losses = candidate.holdout, candidate.losses\n"
        "    assert list(frame) == ['distance', 'passengers', 'fare'] and len(frame) == 400\n"
        "    assert candidate.predictions.shape == losses.shape == (400,)\n"
        "    assert candidate.baseline_predictions.shape == (400,)\n"
        "    assert (candidate.baseline_losses - losses).round(9).tolist() == [0.3] * 400\n"
        "    assert len(set(candidate.baseline_predictions.tolist())) == 400\n"
        "    assert (candidate.pipeline, candidate.task) == ('taxi', 'regression')\n"
        "    assert candidate.metric == 'mae'\n"
        "    assert (candidate.target, candidate.classes) == ('fare', None)\n"
        "    assert candidate.features == ('distance', 'passengers')\n"
        "    assert candidate.baseline_name == 'champion v3' and candidate.gate.min_rows == 100\n"
        "    return Finding('passed', f\"{candidate.scores['dummy']['mae']:g}\")\n"
    )
    (found,) = ask(world.but(champion_model=served[0]), "one")
    assert told(found) == ("error", "passed", None)
    assert found.message == "6"


def test_losses_stand_beside_their_rows_in_whatever_order_they_were_published(
    world, company, ask, context
):
    from everfit.steps.gate.evidence.candidate import open_candidate
    from tests.unit.gate.conftest import parquet

    order = np.random.default_rng(0).permutation(400).astype(np.uint64)
    losses = context.store.put(
        "losses.parquet", parquet(__row=order, candidate=order / 10.0, baseline=order / 5.0)
    )
    request = world.request()
    evaluated = request.evaluated.model_copy(update={"losses": losses})
    candidate = open_candidate(request.model_copy(update={"evaluated": evaluated}), context)
    assert candidate.losses.tolist() == (np.arange(400) / 10.0).tolist()
    assert candidate.baseline_losses.tolist() == (np.arange(400) / 5.0).tolist()


def test_the_dummy_is_the_baseline_while_there_is_no_champion(world, company, ask):
    company(
        "def one(candidate):\n"
        "    assert candidate.baseline_name == 'median'\n"
        "    different = set(candidate.baseline_predictions.tolist())\n"
        "    return Finding('passed', f'{len(different)} answer')\n"
    )
    (found,) = ask(world.but(champion_rows=None, gain=4.0), "one")
    assert (found.state, found.message) == ("passed", "1 answer")


def test_a_champion_that_cannot_be_asked_holds_those_that_want_its_answers(world, company, ask):
    company(
        "def wants(candidate):\n"
        "    return Finding('passed', str(candidate.baseline_predictions.mean()))\n"
        "def does_not(candidate):\n"
        "    return Finding('passed', str(candidate.predictions.shape))\n"
    )
    wants, does_not = ask(world, "wants", "does_not")
    assert told(wants) == ("error", "not_assessed", "hold")
    assert "Champion v3 cannot predict: MODEL-FILE" in wants.message
    assert does_not.state == "passed"


def test_one_check_cannot_change_what_the_next_one_sees(world, company, ask):
    company(
        "def first(candidate):\n"
        "    frame = candidate.holdout\n"
        "    frame.loc[:, 'fare'] = -1.0\n"
        "    frame['more'] = 1\n"
        "    candidate.predictions[:] = 0.0\n"
        "def second(candidate):\n"
        "    assert 'more' not in candidate.holdout and (candidate.holdout['fare'] != -1.0).all()\n"
        "    return Finding('passed', 'Nothing has changed.')\n"
    )
    first, second = ask(world, "first", "second")
    assert first.state == "not_assessed"
    assert "crashed with ValueError: assignment destination is read-only" in first.message
    assert second.state == "passed"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "raise ValueError('no such\\nthing in /home/me/x')",
            "crashed with ValueError: no such thing in ….",
        ),
        ("raise SystemExit(0)", "crashed with SystemExit: 0."),
        ("raise BaseException", "crashed with BaseException."),
        ("raise NotAssessed('the tariffs are not there')", None),
        ("return None", "must return a Finding or several; it returned nothing."),
        ("return True", "must return a Finding or several; it returned a bool."),
        ("return 'passed'", "must return a Finding or several; it returned a str."),
        ("return [True]", "must return a Finding or several; one of them is a bool."),
        ("return [Finding('passed', 'Yes.'), None]", "one of them is nothing."),
        (
            "return Finding('ok', 'Yes.')",
            "state must be one of passed, failed, not_applicable, not_assessed.",
        ),
        ("return Finding(['passed'], 'Yes.')", "state must be one of"),
        ("return Finding('passed', '  ')", "message must be a sentence; it is a str."),
        ("return Finding('passed', None)", "message must be a sentence; it is nothing."),
        ("return Finding('failed', 'No.', forces='promote')", "forces must be one of hold, reject"),
        ("return Finding('failed', 'No.', forces=None)", "forces must be one of hold, reject"),
        ("return Finding('failed', 'No.', severity='none')", "severity must be one of"),
        ("return Finding('passed', 'Yes.', values={'x': float('nan')})", "finite numbers by name"),
        ("return Finding('passed', 'Yes.', values={'x': np.zeros(3)})", "finite numbers by name"),
        ("return Finding('passed', 'Yes.', values={1: 1})", "finite numbers by name"),
        ("return Finding('passed', 'Yes.', values=[1])", "values must be a dict; it is a list."),
        ("yield Finding('passed', 'Yes.'); raise KeyError('x')", "crashed with KeyError: 'x'."),
        ("assert False", "crashed with AssertionError."),
    ],
)
def test_what_is_no_sound_answer_is_no_pass(world, company, ask, line, message):
    company(answers(line))
    (found,) = ask(world, "one")
    assert told(found) == ("error", "not_assessed", "hold")
    said = "The tariffs are not there." if message is None else message
    assert said in found.message
    assert "\n" not in found.message


def test_no_findings_at_all_are_no_pass(world, company, ask):
    company(answers("return []"))
    (found,) = ask(world, "one")
    assert told(found) == ("error", "not_assessed", "hold")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "raise RuntimeError('half')",
            "a check's import path must be importable; RuntimeError: half.",
        ),
        ("import sys; sys.exit(3)", "must be importable; SystemExit: 3."),
        ("def other(candidate): pass", "the check must be in my_company.checks; one is not."),
        ("one = 3", "a check must be a function of one argument; it is a int."),
        ("def one(): pass", "a check must be a function of one argument; it is not."),
        ("def one(a, b): pass", "a check must be a function of one argument; it is not."),
    ],
)
def test_a_check_that_is_not_there_is_no_pass(world, company, ask, body, message):
    company(body)
    (found,) = ask(world, "one")
    assert told(found) == ("error", "not_assessed", "hold")
    assert message in found.message


def test_a_store_that_does_not_answer_decides_nothing(world, company, ask, context, monkeypatch):
    company("def one(candidate):\n    return Finding('passed', str(len(candidate.holdout)))\n")

    def away(self):
        raise Unavailable("STORE", "s3", "it must answer")

    monkeypatch.setattr("everfit.steps.gate.evidence.candidate.Candidate._table", property(away))
    with pytest.raises(Unavailable):
        ask(world, "one")


def test_a_full_disk_is_tried_again_and_damaged_rows_are_held(world, company, ask, monkeypatch):
    company("def one(candidate):\n    return Finding('passed', str(len(candidate.holdout)))\n")

    def fails(error):
        def read(path, columns=None):
            raise error

        monkeypatch.setattr("everfit.data.tables.frames.read_table", read)

    fails(OSError(errno.ENOSPC, "No space left on device", "/tmp/x"))
    with pytest.raises(Unavailable, match="SYSTEM-FULL"):
        ask(world, "one")
    fails(OSError("Couldn't deserialize thrift"))
    (found,) = ask(world, "one")
    assert told(found) == ("error", "not_assessed", "hold")
    assert found.message == "The holdout rows are damaged."


def test_a_near_miss_is_told():
    with pytest.raises(UserError, match=r"Did you mean everfit.checks.Finding\?"):
        import_check("everfit.checks.Findings")


def test_two_checks_of_one_name_are_told_apart():
    codes = [q.code for q in own_checks_of(("a.b.same", "c.same", "d.other", "d.other"))]
    assert codes == ["OWN:a.b.same", "OWN:c.same", "OWN:other"]


def test_a_changed_check_is_asked_anew(company):
    path = "my_company.checks.one"
    company(answers("return Finding('passed', 'Yes.')"))
    first = own_checks([path])
    assert set(first) == {path}
    assert own_checks([path]) == first
    company(answers("return Finding('failed', 'No.')"))
    assert own_checks([path]) != first
    assert own_checks(["my_company.gone.one", "nowhere.one", "my_company.checks.x.one"]) == {}


def test_of_a_package_every_file_in_it_counts(company):
    folder = company(answers("pass"))
    (folder / "__init__.py").write_text("from .checks import one\n")
    first = own_checks(["my_company.one"])
    (folder / "checks.py").write_text("changed = True")
    assert own_checks(["my_company.one"]) != first


def test_looking_for_the_code_runs_nothing_of_the_check_s_module(company):
    company("raise RuntimeError")
    assert set(own_checks(["my_company.checks.one"])) == {"my_company.checks.one"}
    assert "my_company.checks" not in sys.modules


def test_a_package_that_fails_is_told_by_the_gate_and_stops_nothing_before(company, world, ask):
    folder = company(answers("pass"))
    (folder / "__init__.py").write_text("raise SystemExit(9)")
    assert own_checks(["my_company.checks.one"]) == {}
    (found,) = ask(world, "one")
    assert told(found) == ("error", "not_assessed", "hold")


def run_key_of(checks):
    from everfit.contracts.spec.pipeline import PipelineSpec
    from everfit.engine.fingerprints import run_key

    spec = PipelineSpec(
        name="taxi",
        task="regression",
        target="fare",
        source={"uri": "{data}/*.csv"},
        gate={"superior_by": "1%", "baseline": "median"},
        train={"families": ["linear"]},
    )
    return run_key(spec, (), (), "0" * 64, "1" * 64, checks)


def test_a_changed_check_makes_another_run():
    keys = {run_key_of(checks) for checks in ({}, {"a.b": "2" * 64}, {"a.b": "3" * 64})}
    assert len(keys) == 3
    assert run_key_of(None) == run_key_of({})


def test_the_gate_asks_them_after_its_own(world, company, context, monkeypatch):
    monkeypatch.setattr(reading, "try_serving", lambda *a, **k: Served(True, "The same.", 20))
    company(answers("return Finding('failed', 'It rains.', forces='reject')"))
    gate = {**world.gate, "checks": ["my_company.checks.one"]}
    result = Gate().run(world.but(gate=gate).request(), context)
    assert result.checks[-1].code == "OWN:one"
    assert result.verdict == "reject"
    assert result.because == "It rains."


def test_a_check_that_was_lost_on_the_way_is_no_pass(world, company, context, monkeypatch):
    monkeypatch.setattr(reading, "try_serving", lambda *a, **k: Served(True, "The same.", 20))
    company(answers("return Finding('passed', 'Yes.')"))
    gate = {**world.gate, "checks": ["my_company.checks.one"]}
    request = world.but(gate=gate).request()
    asked = (*built_in_checks(), *own_checks_of(request.gate.checks))
    checks = run_checks(asked, read_evidence(request, context))
    fine = [c.model_copy(update={"state": "passed", "forces": None}) for c in checks]
    assert decide(fine, asked) == "promote"
    assert decide(fine[:-1], asked) == "hold"
    assert because("hold", fine[:-1], asked) == "OWN:one gave no answer."


def test_the_example_of_the_docs_works(world, company, ask, served):
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S)
    company("\n".join(blocks))
    negative, worst = ask(world.but(champion_model=served[0]), "no_negative_fares", "worst_hour")
    # the world's model predicts three times a normal number: half of its fares are negative
    assert told(negative) == ("error", "failed", "reject")
    assert re.fullmatch(
        r"\d+ of 400 predicted fares are negative, the lowest -\d\.\d\d\.", negative.message
    )
    assert told(worst) == ("warning", "not_applicable", None)
