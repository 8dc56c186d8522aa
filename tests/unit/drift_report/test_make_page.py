"""Evidently's page: what it shows, what it may do, and ours where there is none."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest

from everfit.contracts.messages.monitoring import SCRIPTED_PAGE, HardCheck
from everfit.steps.drift_report.comparable import comparable
from everfit.steps.drift_report.report import evidently_page as module
from everfit.steps.drift_report.report.evidently_page import NoReport, evidently_page
from everfit.steps.drift_report.report.make_page import make_page
from everfit.steps.drift_report.sample_rows import sample

from .conftest import drift


def page_of(context, result) -> str:
    return context.store.get(result.report.digest).decode()


def test_evidently_sees_the_planted_shift_and_only_that(context, asked):
    result = make_page(asked(), context)
    assert (result.made, result.rows, result.left_out) == (True, (4000, 2000), ())
    page = page_of(context, result)
    assert "Drift is detected for 33.333% of columns (1 out of 3)." in page
    assert "these columns drifted: miles." in page
    assert "all 4,000 rows of the 2 spans that champion v3 was trained on" in page


def test_the_page_begins_as_scripted_pages_do_and_may_fetch_nothing(context, asked):
    page = page_of(context, make_page(asked(), context))
    assert page.encode().startswith(SCRIPTED_PAGE)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert page.index("Content-Security-Policy") < page.index("<script")
    assert (
        re.findall(r"<(?:script|link|img|iframe)[^>]* (?:src|href)=", page.split("<script")[0])
        == []
    )


def test_equal_evaluations_give_equal_bytes(context, asked):
    request = asked()
    assert make_page(request, context) == make_page(request, context)


def test_columns_it_cannot_compare_are_named_and_the_others_compared(context, asked, snapshot):
    request = asked()
    chance = np.random.default_rng(5)
    span = snapshot(
        "2019-02.csv",
        {
            "miles": chance.normal(3, 1, 500),
            "riders": pa.nulls(500),
            "flag": pa.array(["Y"] * 500),
        },
    )
    evaluation = request.evaluation.model_copy(update={"span": span})
    result = make_page(request.model_copy(update={"evaluation": evaluation}), context)
    assert result.made
    assert result.left_out == (
        "riders: no value in the span",
        "flag: only one value in the span's sample",
    )
    assert "riders: no value in the span" in page_of(context, result)


def test_hostile_names_and_values_stay_text(context, asked, snapshot):
    name, value = "</script><script>alert(1)</script>", "<img src=x onerror=alert(2)>"
    texts = [value, "plain"] * 200
    span = snapshot("x.csv", {name: texts})
    request = asked(span=span, columns=(drift(name, "category"),))
    request = request.model_copy(update={"reference": (snapshot("y.csv", {name: texts[1:]}),)})
    result = make_page(request, context)
    assert result.made
    page = page_of(context, result)
    assert name not in page
    assert value not in page
    assert r"\u2039img src=x onerror=alert(2)\u203a" in page


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (
            {
                "state": "broken",
                "checks": (
                    HardCheck(code="MISSING", column="miles", message="miles is not there"),
                ),
            },
            "the span is broken: miles is not there",
        ),
        ({"state": "too_small"}, "the span has 2,000 rows, too few to compare"),
        ({"columns": ()}, "no column was compared"),
        ({"columns": (drift("gone"),)}, "none of the columns can be compared by Evidently"),
    ],
)
def test_where_there_is_nothing_to_compare_our_own_page_says_so(context, asked, more, why):
    result = make_page(asked(**more), context)
    assert (result.made, result.because) == (False, why)
    page = page_of(context, result)
    assert "<script" not in page
    assert why[1:] in page


def test_an_error_of_evidentlys_that_is_no_exception_fails_nothing(context, asked, monkeypatch):
    from evidently.errors import EvidentlyError

    class Away(BaseException):
        """As its ReferenceMetricNotFound."""

    for error in (Away("metric not found\nin a second line"), EvidentlyError("odd")):

        def fail(_tables, error=error):
            raise error

        monkeypatch.setattr(module, "_render", fail)
        result = make_page(asked(), context)
        assert not result.made
        assert result.because.startswith("Evidently could not compare them: ")
        assert "\n" not in result.because
        assert "What the monitor measured" in page_of(context, result)


def test_a_stop_by_a_person_is_no_error_of_evidentlys(context, asked, monkeypatch):
    def stop(_tables):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_render", stop)
    with pytest.raises(KeyboardInterrupt):
        make_page(asked(), context)


def test_what_evidently_truly_refuses_is_an_answer(context, snapshot):
    table = sample(context, [snapshot("a", {"x": [1.0, 2.0] * 50})], ("x",))
    tables = comparable(table, table.iloc[:0], {"x": "number"})
    forced = type(tables)(table, table.iloc[:0], ("x",))
    with pytest.raises(NoReport):
        evidently_page(forced, "a", "b", [], [])
