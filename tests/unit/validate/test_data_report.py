from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pyarrow as pa
import pytest

from everfit.contracts.messages.anomalies import ANOMALIES
from everfit.contracts.messages.requests import Anomaly
from everfit.contracts.messages.spans import Span
from everfit.ml.profiles.span_statistics import profile_table
from everfit.steps.validate.choose_spans import choose_spans
from everfit.steps.validate.judge import Judgement
from everfit.steps.validate.report.data_report import data_report
from everfit.steps.validate.report.small_pictures import bars, common_axis, heights, line

HOSTILE = '<script>alert("x")</script>'


def report_of(tables, spec, errors=()):
    """``errors``: span → (code, column, message)."""
    spans, statistics, judged = [], [], []
    for place, (name, table) in enumerate(tables.items()):
        digest = f"{place:064x}"
        spans.append(Span(name=name, digest=digest, rows=table.num_rows, size=1))
        statistics.append(profile_table(table, digest))
        found = tuple(
            Anomaly(code=code, severity="error", span=name, column=column, message=message)
            for code, column, message in dict(errors).get(name, ())
        )
        judged.append(Judgement(found, not found))
    good = [span for span, one in zip(spans, judged, strict=True) if one.good]
    anomalies = [a for one in judged for a in one.anomalies]
    choice = choose_spans(spec, spans, good, anomalies, ())
    return data_report(spec, spans, statistics, judged, choice).decode()


@pytest.fixture
def some(months):
    return dict(list(months.items())[:3])


def test_a_quarantined_span_is_explained_with_pictures(some, make_spec):
    message = "the typical value (1609) is 1,000 times that of 1 of 1 spans before"
    page = report_of(some, make_spec(), {"2018-02": [("UNIT-CHANGE", "trip_distance", message)]})
    why = page[page.index("Why spans were quarantined</h2>") :]
    why = why[: why.index("</section>")]
    assert "The typical value (1609) is 1,000 times that of 1 of 1 spans before." in why
    assert 'data-tip="values larger or smaller by a factor' in why
    assert why.count("<svg ") == 1 + 2  # of the pill; the span before, and this one
    assert why.count("var(--bad)") == 1
    assert "1 quarantined" in page
    assert "left out: 2018-02" in page


def test_the_page_is_whole_and_the_same_each_time(some, make_spec):
    page = report_of(some, make_spec())
    assert page == report_of(some, make_spec())
    assert "all spans are good" in page
    assert "Why spans were quarantined" not in page
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", page)
    for name in some["2018-01"].column_names:
        assert f">{name}<" in page


def test_what_stops_the_run_is_the_lead(some, make_spec):
    errors = {name: [("INF", "extra", "1 of 10,000 values are infinite")] for name in some}
    page = report_of(some, make_spec(), errors)
    assert "Nothing is trained: at least 1 good span to train on and 1 to judge on" in page
    assert "stopped" in page


def test_hostile_names_and_texts_are_only_shown(make_spec):
    table = pa.table({HOSTILE: [HOSTILE] * 40, "fare_amount": list(range(40))})
    error = [("INF", HOSTILE, f"{HOSTILE} is infinite")]
    page = report_of({HOSTILE: table, "b": table}, make_spec(time=None), {HOSTILE: error})
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_pictures_are_well_formed_and_to_scale():
    spark = ET.fromstring(bars([0.5, 0.25, 0.0], 'a < b & "c"', stop=True))
    path = spark.findall("svg/path")[0].get("d")
    assert [float(h) for h in re.findall(r"v-([\d.]+)", path)] == [26.0, 13.0]
    assert spark.get("aria-label") == 'a < b & "c"'
    dots = ET.fromstring(line([1.0, None, 3.0], [False, False, True], "t")).findall("svg/circle")
    assert len(dots) == 1
    assert line([None], [False], "t") == "–"


def test_the_keyboard_reaches_the_numbers_of_each_column_once(some, make_spec):
    """Of 3 spans: one stop a column; each picture can be touched, which the keyboard skips."""
    page = report_of(some, make_spec())
    numbers = [c for c in some["2018-01"].column_names if f">{c}<" in page]
    columns = page[page.index("Columns</h2>") :]
    stops = re.findall(
        r'<span class="tip spark" role="img" tabindex="0" aria-label="([^"]*)"', columns
    )
    assert all(stop.count("missing") == 3 for stop in stops)
    assert 0 < len(stops) <= len(numbers)
    assert columns.count('tabindex="-1"') == 3 * len(numbers)


def test_the_target_is_shown_in_its_unit(some, make_spec):
    spec = make_spec(target={"name": "fare_amount", "unit": "$"})
    page = report_of(some, spec)
    assert re.search(r"2018-01: 0\xa0% missing, min −?\$[\d.,]+, median \$[\d.]+, max \$", page)


def test_heights_are_shares_of_all_rows():
    numbers = profile_table(pa.table({"x": [0.0] * 5 + [10.0] * 4 + [None]}), "0" * 64).columns[0]
    shares = heights(numbers, common_axis([numbers]))
    assert (shares[0], shares[-1], round(sum(shares), 9)) == (0.5, 0.4, 0.9)
    texts = profile_table(pa.table({"x": ["a", "a", "b", None]}), "0" * 64).columns[0]
    assert heights(texts, common_axis([texts])) == [0.5, 0.25, 0.0]
    constant = profile_table(pa.table({"x": [7, 7]}), "0" * 64).columns[0]
    assert max(heights(constant, common_axis([constant]))) == 1.0


def test_every_code_is_documented():
    page = (Path(__file__).parents[3] / "docs" / "reference" / "anomalies.md").read_text()
    assert [code for code in ANOMALIES if f"| `{code}` |" not in page] == []
    documented = re.findall(r"^\| `([A-Z-]+)` \|", page, re.M)
    assert sorted(documented) == sorted(ANOMALIES)
