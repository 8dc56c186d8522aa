"""The monitor page: what it says, what it leaves out, and that it stands alone."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.monitoring import ColumnDrift, HardCheck, Rise, SpanEvaluation
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.spans import Span
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.reporting.plot import NARROW, WIDE
from everfit.steps.monitor.report.drift_json import drift_json
from everfit.steps.monitor.report.drift_picture import drift_map, ranked_columns
from everfit.steps.monitor.report.loss_picture import bound, loss_picture
from everfit.steps.monitor.report.page import monitor_page
from everfit.steps.monitor.report.span_order import in_order, short_names
from tests.drawings import assert_readable

HOSTILE = '</title><script>alert("x")</script>'
MODEL = Artifact(name="model.skops", digest="a" * 64, size=1)
CHAMPION = ChampionRef(
    version=3, run_key="b" * 64, model=MODEL, train=MODEL, window=("c" * 64, "d" * 64), sequence=1
)


def spec(metric: str = "mae", **monitor: object) -> PipelineSpec:
    task = "regression" if metric == "mae" else "binary"
    return PipelineSpec.model_validate(
        {
            "name": "fares",
            "task": task,
            "target": "fare",
            "source": {"uri": "{data}/*.csv"},
            "gate": {"metric": metric, "superior_by": "1%", "baseline": "prior"}
            | ({"baseline": "median"} if task == "regression" else {}),
            "monitor": monitor,
        }
    )


def column(name: str = "miles", score: float = 0.3, drifted: bool = True, **more) -> ColumnDrift:
    return ColumnDrift(
        **{
            "name": name,
            "kind": "number",
            "score": score,
            "measure": "Wasserstein distance / std",
            "p_value": 1e-6,
            "adjusted": 1e-5 if drifted else 0.9,
            "significant": drifted,
            "drifted": drifted,
            "depends": 0.4,
            "message": f"its median went from 2 to {2 + score}",
        }
        | more
    )


def rise(worse: float = 0.4, low: float = 0.3, **more) -> Rise:
    return Rise(
        **{
            "metric": "mae",
            "reference": 2.5,
            "current": 2.5 + worse,
            "worse": worse,
            "low": low,
            "rows": 900,
            "labelled": 1.0,
            "method": "2,000 resamples of days",
        }
        | more
    )


def evaluation(name: str = "2019-02.csv", state: str = "measured", **more) -> SpanEvaluation:
    found = {
        "span": Span(name=name, digest=f"{abs(hash(name)):064x}"[-64:], rows=1000, size=9),
        "state": state,
        "because": "1 of 2 columns drifted: miles (0.3)",
    }
    return SpanEvaluation(**(found | more))


def text_of(page: bytes) -> str:
    parts: list[str] = []

    class Reader(HTMLParser):
        def handle_data(self, data: str) -> None:
            parts.append(data)

    Reader().feed(page.decode().split("</style>", 1)[1])
    return re.sub(r"\s+", " ", " ".join(parts)).replace("\xa0", " ")


def months(count: int, columns: int = 2) -> list[SpanEvaluation]:
    return [
        evaluation(
            f"{2015 + i // 12}-{i % 12 + 1:02d}.csv",
            columns=tuple(column(f"column_{n}", 0.01, False) for n in range(columns)),
            rises=(rise(0.01, -0.05),),
        )
        for i in range(count)
    ]


def test_it_says_first_what_happened_and_why():
    newest = evaluation(
        columns=(column(), column("riders", 0.01, False)), rises=(rise(0.01, -0.1),)
    )
    text = text_of(monitor_page(spec(), CHAMPION, [newest], []))
    assert (
        "2019-02.csv compared with champion v3 drifted 1 of 2 columns drifted: miles (0.3)." in text
    )
    assert "Its median went from 2 to 2.3." in text


@pytest.mark.parametrize(
    ("badge", "found"),
    [
        ("broken", evaluation(state="broken")),
        ("too few rows", evaluation(state="too_small")),
        ("decayed", evaluation(columns=(column(),), rises=(rise(),))),
        ("drifted", evaluation(columns=(column(),), rises=(rise(0.01, 0.001),))),
        ("drifted", evaluation(columns=(column(),), rises=(rise(estimated=True),))),
        ("drift elsewhere", evaluation(columns=(column(depends=0.0),))),
        ("no drift", evaluation(columns=(column(drifted=False),))),
    ],
)
def test_the_badge_names_the_gravest_thing(badge, found):
    page = monitor_page(spec(), CHAMPION, [found], []).decode()
    shown = re.search(r'<span class="badge">.*?</svg>([^<]*)</span>', page)
    assert shown is not None
    assert shown[1] == badge


def test_an_estimate_is_called_one_wherever_it_stands():
    found = evaluation(columns=(column(),), rises=(rise(estimated=True, low=float("-inf")),))
    text = text_of(monitor_page(spec(), CHAMPION, [found], []))
    assert "+0.400 an estimate" in text
    assert "+0.400 (estimate)" in text
    assert "at least" not in text


def test_what_was_served_is_told_from_what_the_champion_says():
    found = evaluation(rises=(rise(), rise(source="logged")))
    page = monitor_page(spec(), CHAMPION, [found], [])
    assert "as served" in text_of(page)
    assert page.count(b'width="8" height="8" fill="var(--bad)"') == 2  # wide and narrow


def test_hard_checks_are_told_with_their_span_and_column():
    check = HardCheck(code="MISSING-COLUMN", column="tip_amount", message="tip_amount is not there")
    found = evaluation(state="broken", checks=(check,), because="tip_amount is not there")
    text = text_of(monitor_page(spec(), CHAMPION, [found], months(2)))
    assert "2019-02.csv tip_amount MISSING-COLUMN tip_amount is not there." in text


def test_dependence_in_time_and_the_thresholds_are_stated():
    found = evaluation(columns=(column(),), dispersion="spans differ 3.1 times as much as rows do")
    text = text_of(monitor_page(spec(effect=0.2, until=0.15), CHAMPION, [found], []))
    assert "spans differ 3.1 times as much as rows do" in text
    assert "drift score is 0.2 or more" in text
    assert "below 0.15" in text
    assert "by 5 % or more" in text


def test_many_columns_and_spans_are_cut_and_it_says_so():
    every = months(60, 120)
    page = monitor_page(spec(), CHAMPION, every[-8:], every[:-8])
    text = text_of(page)
    assert "the 25 of 120 columns that moved most and the newest 36 of 60 spans" in text
    assert "and 95 more columns, 0 of them drifted." in text
    assert "and 24 older spans." in text
    assert "2 older spans are in drift.json" in text
    assert len(page) < 600_000


def test_the_columns_that_alarm_now_come_first_in_the_map():
    before = evaluation("a", columns=(column("gone", 0.9), column("now", 0.01, False)))
    broken = evaluation("b", "broken", columns=(column("wild", 99.0),))
    newest = evaluation("c", columns=(column("quiet", 0.2, False), column("now", 0.2)))
    assert ranked_columns([before, broken, newest]) == ["now", "gone", "quiet", "wild"]


def test_an_alarm_bears_a_sign_beside_its_colour():
    quiet, loud = evaluation("a", columns=(column(drifted=False),)), evaluation(columns=(column(),))
    maps = [drift_map([found], spec().monitor, WIDE) for found in (quiet, loud)]
    assert [sum(part.startswith("<circle") for part in drawn.body) for drawn in maps] == [0, 1]


def test_a_map_tells_all_scores_of_a_column_at_its_name():
    spans = [
        evaluation("a.csv", columns=(column(score=0.02, drifted=False),)),
        evaluation("b.csv", columns=(column(score=0.3),)),
    ]
    stops = [hit.tip for hit in drift_map(spans, spec().monitor, WIDE).hits if hit.stop]
    assert "miles: a 0.02, b 0.3 (alarm)" in stops
    assert "miles, b: score 0.3, p-value < 0.001. Its median went from 2 to 2.3." in stops


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("count", [1, 3, 12, 36])
def test_no_label_of_a_picture_is_cut_or_overprinted(width, count):
    every = months(count, 30)
    assert_readable(drift_map(every, spec().monitor, width))
    for metric in ("mae", "roc_auc"):
        scored = [
            found.model_copy(update={"rises": (rise(0.01, -0.05, metric=metric),)})
            for found in every
        ]
        assert_readable(loss_picture(scored, metric, spec().monitor.worse_by, width, "$"))


def test_every_picture_is_well_formed_and_tells_its_numbers():
    page = monitor_page(
        spec(), CHAMPION, [evaluation(columns=(column(HOSTILE),), rises=(rise(),))], months(12)
    ).decode()
    pictures = re.findall(r"<svg.*?</svg>", page, flags=re.S)
    assert len(pictures) > 10
    for picture in pictures:
        ET.fromstring(picture)
    told = "2019-02: MAE 2.90, 0.400 worse, at least 0.300 (95\xa0% one-sided confidence); 900 rows"
    assert f'aria-label="{told}"' in page


def test_scores_are_in_the_unit_of_the_target():
    fares = spec()
    target = fares.target.model_copy(update={"unit": "$"})
    fares = fares.model_copy(update={"target": target})
    text = text_of(monitor_page(fares, CHAMPION, [evaluation(rises=(rise(),))], []))
    assert "$2.50 $2.90 +$0.400 at least $0.300 (95 %)" in text
    assert "when judged: $2.50" in text


def test_the_page_stands_alone_and_runs_nothing():
    found = evaluation(
        HOSTILE,
        because=HOSTILE,
        columns=(column(HOSTILE, message=HOSTILE),),
        checks=(HardCheck(code="X", column=HOSTILE, message=HOSTILE, severity="warning"),),
        rises=(rise(method=HOSTILE),),
        dispersion=HOSTILE,
    )
    page = monitor_page(spec(), CHAMPION, [found], months(3), [HOSTILE]).decode()
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', page) == []
    assert "default-src 'none'" in page


def test_equal_values_give_equal_bytes():
    made = {monitor_page(spec(), CHAMPION, months(9)[-2:], months(9)[:-2]) for _ in range(2)}
    assert len(made) == 1


def test_a_span_measured_again_takes_the_place_in_time_it_had():
    def at(name: str, begins: str, because: str) -> SpanEvaluation:
        found = evaluation(name, because=because)
        span = found.span.model_copy(update={"period_start": begins})
        return found.model_copy(update={"span": span})

    earlier = [at("a", "2019-01", "old"), at("b", "2019-02", "old")]
    every = in_order([at("a", "2019-01", "new")], earlier)
    assert [(found.span.name, found.because) for found in every] == [("a", "new"), ("b", "old")]


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["yellow/2018-01.csv", "yellow/2018-02.csv"], ["2018-01", "2018-02"]),
        (["a/1.csv", "b/1.csv"], ["a/1", "b/1"]),
        (["one.csv", "two.parquet"], ["one.csv", "two.parquet"]),
        (["[2018-01-01T00:00, 2018-02-01T00:00)"], ["[2018…00:00)"]),
        ([], []),
    ],
)
def test_names_are_short_where_they_label_a_picture(names, short):
    assert short_names(names) == short


def test_the_bound_is_drawn_on_the_side_that_is_worse():
    assert bound(rise(0.4, 0.3)) == pytest.approx(2.8)
    better_high = rise(0.1, 0.05, metric="roc_auc", reference=0.9, current=0.8)
    assert bound(better_high) == pytest.approx(0.85)
    drawn = loss_picture(
        [evaluation(rises=(better_high,))], "roc_auc", spec().monitor.worse_by, WIDE
    )
    whisker = next(part for part in drawn.body if part.startswith("<path") and "h8" in part)
    # downwards, from the score to its bound: 0.8 lies below 0.85 in the picture
    score, end = (float(y) for y in re.search(r"M[\d.]+ ([\d.]+)V([\d.]+)", whisker).groups())
    assert end < score
    text = text_of(monitor_page(spec("roc_auc"), CHAMPION, [evaluation(rises=(better_high,))], []))
    assert "worse by 5 %: 0.855" in text  # 0.9 less a twentieth of it


def test_without_a_score_the_picture_is_a_sentence():
    broken = evaluation(state="broken")
    assert loss_picture([broken], "mae", spec().monitor.worse_by, WIDE) is None
    assert "has not been scored" in text_of(monitor_page(spec(), CHAMPION, [broken], []))


def test_the_json_has_the_keys_that_are_documented():
    found = evaluation(columns=(column(),), rises=(rise(), rise(0.4, estimated=True)))
    document = json.loads(drift_json(spec(), CHAMPION, [found], ["a note"]))
    assert document["format"] == 1
    assert set(document) == {"format", "pipeline", "champion", "asked", "evaluations", "notes"}
    (written,) = document["evaluations"]
    assert written["inputs"] == written["any_column"] == 0.3
    assert [one["beyond"] for one in written["rises"]] == [True, False]
    assert (
        SpanEvaluation.model_validate(
            {name: written[name] for name in SpanEvaluation.model_fields if name in written}
            | {"rises": [{k: v for k, v in r.items() if k != "beyond"} for r in written["rises"]]}
        )
        == found
    )
