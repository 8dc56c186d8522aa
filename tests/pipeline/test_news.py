"""What people are told of whole runs: each thing once, where it happened."""

from __future__ import annotations

import pytest

from everfit.contracts.errors import NothingToDo
from everfit.contracts.messages.steps import Ended


def news_of(outcomes) -> list[tuple[str, str]]:
    return [(outcome.component, news.kind) for outcome in outcomes for news in outcome.news]


def test_a_promotion_is_told_once(world) -> None:
    world.months(3)
    assert news_of(world.run()) == [("register", "promoted")]
    assert news_of(world.run(force=True)) == []


@pytest.mark.thorough
def test_nothing_to_do_leaves_no_news(world) -> None:
    world.months(3)
    world.run()
    with pytest.raises(NothingToDo) as stopped:
        world.run()
    ended = Ended.model_validate_json(stopped.value.document)
    assert ended.nothing_to_do == stopped.value.line
    assert ended.news == ()
