"""What a reviewer reads."""

from __future__ import annotations

import re

from everfit.contracts.messages.verdicts import Check, Comparison, Estimate
from everfit.operations.delivery.comment import LONGEST, MARK, comment
from everfit.operations.delivery.sample import Sampled, Size

SIZE = Size(spans=4, rows=2000)


def judged(**more: object) -> Sampled:
    return Sampled.model_validate(
        {
            "pipeline": "fares",
            "why": "dags/pipelines/fares.yaml",
            "verdict": "hold",
            "because": "Undecided whether better.",
            "against": "the pipeline as it was before",
            "comparison": Comparison(
                metric="mae",
                baseline="champion v1",
                candidate_score=2.5,
                baseline_score=3.0,
                gain=Estimate(value=0.5, low=-0.25, high=1.25, rows=400, method="t"),
                margin=0.03,
                intention="superior_by",
            ),
            "spans": ("2018-01.csv", "2018-02.csv"),
            "rows_train": 800,
            "rows_holdout": 400,
            "flips": ("A gain of at least 0.8 mae instead of 0.5.",),
            "not_passed": (
                Check(code="GAIN", title="Better", severity="error", state="failed", message="no"),
                Check(
                    code="SLICE",
                    title="Slices",
                    severity="warning",
                    state="not_assessed",
                    message="60 rows are too few.",
                ),
            ),
            "seconds": 12.0,
            **more,
        }
    )


def test_a_verdict_is_told_with_its_numbers_and_what_would_flip_it() -> None:
    text = comment([judged()], SIZE, "https://example.org/runs/1?a=b")
    assert text.splitlines()[0] == MARK
    assert "### Everfit: 1 changed pipeline on a sample\n" in text
    assert (
        "| `fares` | ⏸️ hold | the pipeline as it was before | MAE 2.50 → 3.00 "
        "| +0.500 (−0.250 to 1.25) | Undecided whether better. |" in text
    )
    assert "- what would flip it: A gain of at least 0.8 mae instead of 0.5." in text
    assert "trained on 800 rows and judged on 400, of 2018-01.csv, 2018-02.csv; 12 s" in text
    assert "- warning `SLICE`, not assessed: 60 rows are too few." in text
    assert "(https://example.org/runs/1?a=b)" in text
    assert "The newest 4 spans, about 2,000 rows of each" in text


def test_failures_and_pipelines_that_came_to_no_verdict_are_told_apart() -> None:
    text = comment(
        [
            Sampled(pipeline="tips", problems=("SPEC tips.yaml gate: is required",), exit_code=2),
            Sampled(pipeline="tolls", because="PLAN-SKIP tolls: too few spans."),
        ],
        SIZE,
    )
    assert "2 changed pipelines, 1 of them failing, on a sample" in text
    assert "| `tips` | 💥 failed | – | – | – | SPEC tips.yaml gate: is required |" in text
    assert "| `tolls` | – not judged | – | – | – | PLAN-SKIP tolls: too few spans. |" in text


def test_nothing_changed_is_said() -> None:
    text = comment([], SIZE)
    assert "No pipeline is concerned by this change." in text
    assert "| pipeline |" not in text


def test_what_a_spec_or_its_data_says_cannot_write_markdown() -> None:
    evil = "<!-- x --><img src=x> | @everybody [a](http://b) `c`\n# head\n\u202e ![i](j)"
    text = comment([judged(because=evil, why=evil, flips=(evil,), spans=(evil,))], SIZE)
    body = text.removeprefix(MARK)
    assert "<!--" not in body
    assert "<img" not in body
    assert "@everybody" not in body
    assert re.search(r"(?<!\\)[\[\]]", body) is None
    assert "\n# head" not in body
    assert "\u202e" not in body
    rows = [line for line in body.splitlines() if line.startswith("| `fares`")]
    assert [row.replace("\\|", "").count("|") for row in rows] == [7]


def test_a_link_cannot_break_out_of_its_brackets() -> None:
    text = comment([judged()], SIZE, "https://example.org/)<script>\n# x")
    assert "(https://example.org/script#x)" in text


def test_a_comment_is_no_longer_than_github_takes() -> None:
    text = comment([judged(flips=("long " * 2_000,)) for _ in range(20)], SIZE)
    assert len(text) < LONGEST + 100
    assert text.endswith("(cut; the reports say it all)\n")
