from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import NothingToDo, UserError
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.steps import Ended, News, Outcome
from everfit.engine import execute
from everfit.engine.outcome_size import fitted, limit_of

KEPT = {"component", "result", "key", "cached", "seconds", "signals"}


def report(name: str) -> Artifact:
    return Artifact(name=f"{name}.html", digest="cd" * 32, size=1)


def outcome(**further) -> Outcome:
    return Outcome(
        component="gate",
        result="ab" * 32,
        key="cd" * 32,
        cached=False,
        seconds=1.5,
        signals=("drift",),
        **further,
    )


def news(why: str) -> News:
    return News(kind="promoted", what="fares 7 is champion", why=why)


def judged(**further) -> dict[str, object]:
    return {"component": "gate", "verdict": "hold", **further}


FULL = outcome(
    summary=judged(because="x" * 300, checks_failed=["y" * 100], warnings=["z"]),
    links={"mlflow_run": "https://mlflow/" + "r" * 60},
    reports={"data_report": report("d"), "decision_report": report("decision" * 8)},
    news=(news("because " * 40), news("short")),
)


def test_what_fits_is_not_touched():
    whole = canonical_json(FULL)
    assert fitted(FULL, None) == fitted(FULL, len(whole)) == whole


def test_things_are_left_out_in_the_order_documented(caplog):
    limit, seen = len(canonical_json(FULL)) - 1, []
    with caplog.at_level(logging.WARNING), pytest.raises(UserError):
        while True:
            document = fitted(FULL, limit)
            assert len(document) <= limit
            seen.append(json.loads(document))
            limit = len(document) - 1
    whys = [[piece["why"] for piece in one["news"]] for one in seen]
    assert whys[0] == ["because " * 14 + "because…", "short"]
    whole = json.loads(canonical_json(FULL))
    assert whys[1] == ["", ""] and seen[1]["summary"] == whole["summary"]
    assert [[name for name, said in one["summary"].items() if said] for one in seen[2:5]] == [
        ["checks_failed", "component", "verdict", "warnings"],
        ["component", "verdict", "warnings"],
        ["component", "verdict"],
    ]
    assert seen[4]["links"] and not seen[5]["links"]
    assert [set(one["reports"]) for one in seen[5:8]] == [
        {"data_report", "decision_report"},
        {"data_report"},
        set(),
    ]
    assert [len(one["news"]) for one in seen[7:]] == [2, 1, 0, 0]
    assert [one["summary"] is None for one in seen[7:]] == [False, False, False, True]
    assert all({name: one[name] for name in KEPT} == {n: whole[n] for n in KEPT} for one in seen)
    assert "summary.because" in caplog.text


def test_what_may_not_be_left_out_is_too_large():
    with pytest.raises(UserError, match=r"OUTCOME-SIZE .*into 100 bytes.*EVERFIT_OUTCOME_LIMIT"):
        fitted(FULL, 100)


def test_an_end_keeps_its_reason():
    ended = Ended(
        nothing_to_do="nothing new",
        reports={"data_report": report("d" * 200)},
        news=(news("w" * 500),),
    )
    small = Ended.model_validate_json(fitted(ended, 150))
    assert small.nothing_to_do == "nothing new" and not small.reports
    with pytest.raises(UserError, match="OUTCOME-SIZE"):
        fitted(Ended(nothing_to_do="n" * 200), 150)


@given(
    st.none()
    | st.fixed_dictionaries(
        {"because": st.text(max_size=200)},
        optional={
            name: st.lists(st.text(max_size=200), max_size=4)
            for name in ("checks_failed", "warnings")
        },
    ),
    st.lists(st.text(max_size=300), max_size=4),
    st.integers(350, 4096),
)
def test_any_outcome_fits_into_what_holds_its_names(summary, whys, limit):
    said = None if summary is None else judged(**summary)
    document = fitted(outcome(summary=said, news=tuple(map(news, whys))), limit)
    assert len(document) <= limit
    assert Outcome.model_validate_json(document).result == "ab" * 32


@pytest.mark.parametrize(("said", "limit"), [({}, None), ({"EVERFIT_OUTCOME_LIMIT": "4096"}, 4096)])
def test_the_limit_is_a_variable(said, limit):
    assert limit_of(said) == limit


@pytest.mark.parametrize("said", ["4k", "-1", "٣"])
def test_a_limit_is_a_number(said):
    with pytest.raises(UserError, match="OUTCOME-LIMIT EVERFIT_OUTCOME_LIMIT"):
        limit_of({"EVERFIT_OUTCOME_LIMIT": said})


ORDER = {
    "component": "plan",
    "pipeline": {
        "name": "fares",
        "task": "regression",
        "target": "fare",
        "source": {"uri": "x/*.csv"},
        "window": {"spans": 3},
        "train": {"families": ["linear"]},
        "gate": {"superior_by": "1%", "baseline": "median", "limits": {"mae": {"max": 5}}},
    },
}


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Runs the entry with a component that gives or raises what is asked for."""
    monkeypatch.setenv("EVERFIT_ROOT", str(tmp_path))
    monkeypatch.setenv("EVERFIT_HOME", str(tmp_path / "home"))
    (tmp_path / "order.json").write_text(json.dumps(ORDER))
    written = tmp_path / "outcome.json"

    def run(limit: str, gives: Outcome | NothingToDo) -> tuple[int, dict]:
        def perform(order, context):
            if isinstance(gives, NothingToDo):
                raise gives
            return gives

        monkeypatch.setenv("EVERFIT_OUTCOME_LIMIT", limit)
        monkeypatch.setattr(execute, "perform", perform)
        code = execute.main(["--order", str(tmp_path / "order.json"), "--outcome", str(written)])
        return code, json.loads(written.read_text()) if written.exists() else {}

    return run


def test_execute_leaves_an_outcome_that_fits(opened):
    code, left = opened("900", FULL)
    assert (code, left["result"]) == (0, "ab" * 32)
    assert len(canonical_json(left)) <= 900


def test_execute_leaves_an_end_that_fits(opened):
    reason = NothingToDo("SKIP", "fares", "nothing new")
    reason.document = canonical_json(
        Ended(nothing_to_do=reason.line, news=(news("w" * 500), news("w" * 500)))
    )
    code, left = opened("300", reason)
    assert (code, left["nothing_to_do"]) == (3, reason.line)
    assert len(canonical_json(left)) <= 300


@pytest.mark.parametrize(
    ("limit", "gives"),
    [("100", FULL), ("20", NothingToDo("SKIP", "fares", "no")), ("many", FULL)],
)
def test_execute_fails_typed_where_nothing_would_fit(opened, limit, gives):
    assert opened(limit, gives) == (2, {})
