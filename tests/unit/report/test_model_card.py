"""The model card: what it says of a model, as a page and as Markdown, and of whom."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from everfit.contracts.messages.cards import CardTable, ModelCard
from everfit.contracts.messages.evidence import (
    Calibration,
    CalibrationBin,
    FairnessGap,
    GroupScore,
    ImportanceGroup,
    SliceScore,
    SliceSearch,
)
from everfit.contracts.messages.verdicts import Comparison, Estimate
from everfit.reporting.model_card import Standing, card_markdown, card_page, unjudged

HOSTILE = "<script>alert('x')</script>|`\u202e"
STANDING = Standing(
    "champion", "good", "Better by $2.50.", "ada", version=3, date="2026-11-29 12:00 UTC"
)


def about(value: float, half: float = 0.5) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half, rows=40, method="by hand")


def card(text: str = "x", **more: object) -> ModelCard:
    values: dict[str, object] = {
        "pipeline": "fares",
        "description": text,
        "task": "regression",
        "target": text,
        "unit": "$",
        "family": text,
        "parameters": {text: text},
        "settings_tried": 4,
        "rows_fitted": 50_000,
        "size": 1_234_567,
        "tables": (
            CardTable(use="training", rows=50_000, digest="a" * 64, first="2018-01-01T00:10:00"),
            CardTable(use="holdout", rows=10_000, digest="b" * 64, last="2018-06-30T23:00:00"),
        ),
        "features": (text, "other"),
        "dropped": {text: 7},
        "metric": "mae",
        "baseline": text,
        "dummy": "median",
        "confidence": 0.95,
        "rows_scored": 10_000,
        "scores": {
            "candidate": {"mae": about(2.5), "r2": about(0.75, 0.05)},
            "baseline": {"mae": about(5.0)},
            "dummy": {"mae": about(6.0)},
            f"family:{text}": {"mae": about(3.0)},
        },
        "comparison": Comparison(
            metric="mae",
            baseline=text,
            candidate_score=2.5,
            baseline_score=5.0,
            gain=about(2.5),
            margin=0.05,
            intention="superior_by",
        ),
        "slices": (
            SliceScore(
                name=text,
                rows=300,
                candidate=about(2.0),
                baseline=None,
                where=text,
                gain=about(-0.5, 0.25),
                allowed=0.25,
            ),
        ),
        "search": SliceSearch(fitted=500, tested=500, leaves=1, worse=1),
        "calibration": Calibration(
            candidate=about(0.04, 0.01),
            baseline=None,
            bins=(CalibrationBin(rows=1, predicted=0.5, observed=0.5),),
        ),
        "fairness": (
            FairnessGap(
                by=text,
                metric="mean_error",
                gap=about(0.5, 0.25),
                groups=(GroupScore(group=text, rows=20, value=0.75),),
            ),
        ),
        "importances": {text: 0.5},
        "limitations": (text,),
        "run_key": "c" * 64,
        "model": "d" * 64,
        "seed": 7,
        "threads": 1,
        "row_loss": "absolute error",
        "environment": {text: text},
    }
    return ModelCard.model_validate({**values, **more})


def words(page: bytes) -> str:
    body = page.decode().split("</style>", 1)[1]
    return (
        " ".join(re.sub(r"<[^>]+>", " ", body).split()).replace("\xa0", " ").replace("\u2060", "")
    )


def test_it_says_first_whose_it_is_which_version_since_when_and_what_it_is() -> None:
    text = words(card_page(card(), STANDING))
    assert (
        "fares v3 champion Better by $2.50. Owner ada Version v3 Date 2026-11-29 12:00 UTC" in text
    )
    assert "Status champion Run cccccccccccc" in text
    markdown = card_markdown(card(), STANDING)
    for row in ("Owner | ada", "Version | v3", "Date | 2026-11-29 12:00 UTC", "Status | champion"):
        assert f"| {row} |" in markdown


def test_of_a_candidate_it_says_that_it_is_not_judged_yet() -> None:
    text = words(card_page(card(), unjudged("ada")))
    assert (
        "candidate Trained and evaluated, and not judged yet. Owner ada Version not registered"
        in (text)
    )
    assert "Date" not in text.partition("Intended use")[0]


def test_scores_gains_and_slices_are_in_the_unit_of_the_target_and_shares_are_not() -> None:
    for text in (words(card_page(card(), STANDING)), card_markdown(card(), STANDING)):
        assert "$2.50" in text
        assert "$2.00 to $3.00" in text
        assert "0.700 to 0.800" in text
        assert "+$2.50" in text or "$2.50 ($2.00 to $3.00), positive" in text
        assert "better by at least $0.05" in text
        assert "−$0.500" in text
        assert "0.0400 (0.0300 to 0.0500)" in text
        assert "1.23 MB" in text


def test_numbers_agree_with_their_nouns() -> None:
    for text in (words(card_page(card(), STANDING)), card_markdown(card(), STANDING)):
        assert "a tree of 1 leaf on 500 rows; 1 on which" in text
        assert "was scored on 500 other rows" in text


def test_hostile_text_stays_text_in_the_page_and_in_markdown() -> None:
    page = card_page(card(HOSTILE), Standing(HOSTILE, "calm", HOSTILE, HOSTILE)).decode()
    assert "<script" not in page
    assert "\u202e" not in page
    shown = (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .render(card_markdown(card(HOSTILE), Standing(HOSTILE, "calm", HOSTILE, HOSTILE)))
    )
    assert "<script" not in shown
    assert shown.count("<table>") == 8


def test_a_table_of_markdown_keeps_its_columns_whatever_a_name_holds() -> None:
    rows = [line for line in card_markdown(card("a|b`c"), STANDING).splitlines() if line[:1] == "|"]
    tables: list[list[str]] = [[]]
    for line in card_markdown(card("a|b`c"), STANDING).splitlines():
        if line[:1] == "|":
            tables[-1].append(line)
        elif tables[-1]:
            tables.append([])
    assert len(rows) > 20
    for table in filter(None, tables):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1, table[0]


@pytest.mark.parametrize(
    "more",
    [
        {"comparison": None, "slices": (), "search": None, "calibration": None, "fairness": ()},
        {"importances": {}, "parameters": {}, "dropped": {}, "scores": {}},
        {"search": SliceSearch(why="too few rows"), "slices": ()},
        {"importances": {f"c{k}": float(k) for k in range(20)}},
        {
            "importance_groups": (
                ImportanceGroup(columns=("d", "e", "f"), importance=0.25, kind="rest"),
                ImportanceGroup(columns=("g", "h"), importance=0.0, kind="rest"),
            )
        },
        {
            "task": "multiclass",
            "metric": "log_loss",
            "classes": tuple("abcdefghijklmnopqrstuvwxyz"),
        },
    ],
)
def test_what_is_not_known_is_left_out_or_said(more: dict[str, object]) -> None:
    page, markdown = card_page(card(**more), STANDING), card_markdown(card(**more), STANDING)
    assert ("Slices</h2>" in page.decode()) == ("## Slices" in markdown)
    assert ("Groups</h2>" in page.decode()) == ("## Groups" in markdown)
    if "comparison" in more:
        assert "could not be compared" in words(page)
        assert "could not be compared" in markdown
    if len(more.get("importances", ())) == 20:
        assert "5 columns that matter less are left out" in words(page)
        assert "5 less important columns not shown" in markdown
    if "importance_groups" in more:
        for told in (
            "5 further columns were only shuffled together with others",
            "Of these, 2 are not missed together",
            "3 columns together, such as d: $0.25",
        ):
            assert told in words(page)
            assert told in markdown
    if "classes" in more:
        assert "and 6 more" in words(page)
        assert "and 6 more" in markdown


def test_equal_cards_give_equal_bytes() -> None:
    assert card_page(card(), STANDING) == card_page(card(), STANDING)
    assert card_markdown(card(), STANDING) == card_markdown(card(), STANDING)
