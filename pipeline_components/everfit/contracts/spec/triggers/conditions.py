"""Conditions as a spec writes them: one of a kind, or a group of conditions.

A condition is written as a mapping of one key, ``drift: {on: inputs}``, and read into a union that
is discriminated by ``kind``: the union of the groups below and of every kind found in ``kinds/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from everfit.contracts.base import Frozen
from everfit.contracts.spec.triggers.kind import TriggerKind
from everfit.contracts.spec.triggers.kinds import KINDS
from everfit.contracts.spec.triggers.newest_spans import K_OF_N, k_of_n


class AnyOf(Frozen):
    """One of the conditions is enough."""

    kind: Literal["any"] = "any"
    conditions: Group

    def holds(self, members: Sequence[bool]) -> bool:
        """Whether the group is met, by whether each member is."""
        return any(members)

    def in_words(self) -> str:
        """What a list of the members stands under."""
        return "any of these is true:"


class AllOf(Frozen):
    """All of the conditions are needed."""

    kind: Literal["all"] = "all"
    conditions: Group

    def holds(self, members: Sequence[bool]) -> bool:
        """Whether the group is met, by whether each member is."""
        return all(members)

    def in_words(self) -> str:
        """What a list of the members stands under."""
        return "all of these are true:"


class SomeOf(Frozen):
    """At least this many of the conditions are needed; written ``2 of 3: [...]``."""

    kind: Literal["some"] = "some"
    needed: int = Field(ge=1, description="how many of them")
    conditions: Group = Field(description="the conditions")

    @model_validator(mode="after")
    def _can_be(self) -> SomeOf:
        if self.needed > len(self.conditions):
            raise ValueError(f"{self.needed} of {len(self.conditions)} can never hold")
        return self

    def holds(self, members: Sequence[bool]) -> bool:
        """Whether the group is met, by whether each member is."""
        return sum(members) >= self.needed

    def in_words(self) -> str:
        """What a list of the members stands under."""
        verb = "is" if self.needed == 1 else "are"
        return f"at least {self.needed} of these {len(self.conditions)} {verb} true:"


GroupOf: TypeAlias = AnyOf | AllOf | SomeOf
GROUPS: tuple[type[GroupOf], ...] = (AnyOf, AllOf, SomeOf)


def read_some(value: Any) -> Any:
    """``2 of 3: [a, b, c]`` as ``some``, among whatever other keys there are.

    Raises
    ------
    ValueError
        If the list does not hold so many, or two such keys stand beside each other.
    """
    if not isinstance(value, Mapping):
        return value
    keys = [key for key in value if isinstance(key, str) and K_OF_N.fullmatch(key)]
    if not keys or "some" in value:
        return value
    needed, among = k_of_n(keys[0])
    members = value[keys[0]]
    if len(keys) > 1 or not isinstance(members, list | tuple) or len(members) != among:
        raise ValueError(f"{keys[0]!r} stands before a list of {among} conditions")
    rest = {key: item for key, item in value.items() if key != keys[0]}
    return {**rest, "some": {"needed": needed, "conditions": members}}


def _read(value: Any) -> Any:
    """``drift: {on: inputs}`` as ``{kind: drift, on: inputs}``."""
    if isinstance(value, BaseModel):
        return value
    value = read_some(value)
    if not isinstance(value, Mapping):
        raise ValueError("is a mapping of field names to values")
    if "kind" in value:
        return value
    if len(value) != 1:
        raise ValueError(f"a condition is one of {', '.join(KINDS)}, any, all or 2 of 3")
    ((name, given),) = value.items()
    if name in ("any", "all"):
        return {"kind": name, "conditions": given}
    if name == "some":
        return {"kind": name, **given}
    kind = KINDS.get(name)
    if kind is None:
        near = get_close_matches(str(name), (*KINDS, "any", "all"), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(KINDS)}"
        raise ValueError(f"there is no condition {name!r}; {hint}")
    if not isinstance(given, Mapping):
        given = _bare(kind, given)
    return {"kind": name, **given}


def _bare(kind: type[TriggerKind], given: Any) -> dict[str, Any]:
    """What a value that is no mapping stands for."""
    if kind.bare:
        return {kind.bare: given}
    name, fields = kind.model_fields["kind"].default, set(kind.model_fields) - {"kind"}
    if fields:
        raise ValueError(f"{name} is a mapping of field names to values")
    if given is not True:
        raise ValueError(f"{name} is true, or is left out")
    return {}


if TYPE_CHECKING:
    Condition: TypeAlias = TriggerKind | GroupOf
else:
    Condition = Annotated[
        Union[(*KINDS.values(), *GROUPS)], Field(discriminator="kind"), BeforeValidator(_read)
    ]


def _is_not_empty(group: tuple[Condition, ...]) -> tuple[Condition, ...]:
    if not group:
        raise ValueError("a group holds at least one condition")
    return group


Group = Annotated[tuple[Condition, ...], AfterValidator(_is_not_empty)]
"""Conditions that are weighed together."""


def leaves(conditions: Sequence[Condition]) -> Iterator[TriggerKind]:
    """Every condition that is no group, in the spec's order."""
    for condition in conditions:
        if isinstance(condition, TriggerKind):
            yield condition
        else:
            yield from leaves(condition.conditions)
