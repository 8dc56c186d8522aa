from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from everfit.contracts.spec.notices import KINDS, Address, destination, split_addresses


@pytest.mark.parametrize(
    ("text", "service", "target"),
    [
        ("slack:#ml-models", "slack", "#ml-models"),
        ("smtp:team@example.org", "smtp", "team@example.org"),
        ("smtp:a@example.org;b@example.org", "smtp", "a@example.org;b@example.org"),
        ("apprise:ops", "apprise", "ops"),
    ],
)
def test_an_address_hears_of_everything(text, service, target):
    found = destination(text)
    assert (found.service, found.target) == (service, target)
    assert found.kinds == set(KINDS)
    assert str(found) == text


def test_an_address_may_be_narrowed():
    assert destination("slack:#a[failed]").kinds == {"failed"}
    assert destination("slack:#a[failed, drift]").kinds == {"failed", "drift"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ops", "an address is slack:#channel"),
        ("mail:a@example.org", "an address is slack:#channel"),
        ("slack:", "an address is slack:#channel"),
        ("slack:#a #b", "an address is slack:#channel"),
        ("slack:#a[", "an address is slack:#channel"),
        ("smtp:a@example.org,b@example.org", "an address is slack:#channel"),
        ("slack:#a[fail]", "'fail' is no kind of news; did you mean 'failed'?"),
        ("slack:#a[]", "'' is no kind of news; there are promoted, waiting, held"),
    ],
)
def test_what_is_no_address_says_what_one_is(text, said):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Address).validate_python(text)
    assert said in str(caught.value)


def test_a_list_is_split_at_commas_but_not_within_brackets():
    text = "smtp:a@example.org[failed,drift], slack:#b ,,apprise:c[stale]"
    assert split_addresses(text) == [
        "smtp:a@example.org[failed,drift]",
        "slack:#b",
        "apprise:c[stale]",
    ]
    assert split_addresses("") == split_addresses(" , ") == []


@given(st.text(max_size=400))
def test_any_text_is_an_address_or_says_why_not(text):
    try:
        found = destination(text)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert not set(found.target) & set(" ,[]\n")


def test_every_kind_is_described():
    page = Path(__file__).parents[3].joinpath("docs", "how-to", "notices.md").read_text()
    assert [kind for kind in KINDS if f"| `{kind}` |" not in page] == []
