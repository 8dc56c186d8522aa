"""Canonical JSON and digests."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.base import canonical_json, digest_of
from everfit.contracts.errors import SpecError, UserError, shortlist

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_the_order_of_keys_changes_nothing(value: dict[str, object]) -> None:
    turned = dict(reversed(list(value.items())))
    assert canonical_json(value) == canonical_json(turned)
    assert json.loads(canonical_json(value)) == value


def test_the_digest_is_sha_256_of_the_canonical_text() -> None:
    assert digest_of({"b": 1, "a": "ü"}) == hashlib.sha256('{"a":"ü","b":1}\n'.encode()).hexdigest()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_no_digest_depends_on_a_number_that_is_none(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"score": number})


def test_an_error_is_one_line_in_the_house_form() -> None:
    error = UserError("CODE", "file.yaml", "it must hold", "it does\nnot", "Do this.")
    assert str(error) == "CODE file.yaml: it must hold; it does not. Do this."
    many = SpecError("f.yaml", [f"p{i}" for i in range(7)])
    assert str(many) == "SPEC f.yaml: 7 problems: p0 | p1 | p2 | p3 | p4 | and 2 more."


def test_lists_are_cut_at_five() -> None:
    assert shortlist("abcde") == "a, b, c, d, e"
    assert shortlist("abcdef") == "a, b, c, d, e, and 1 more"
