"""Which candidates are fitted, and how hard they are searched."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator, model_validator

from everfit.contracts.base import Frozen
from everfit.contracts.spec.families import family_problem

FamilyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class FamilySpec(Frozen):
    """A model family: a built-in name, or any scikit-learn estimator by import path."""

    name: FamilyName = Field(
        description="a built-in family, or any name where ``estimator`` says which"
    )
    estimator: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][\w]*(\.[A-Za-z_]\w*)+$",
        description="import path of an estimator class; default the built-in of that name",
    )
    params: dict[str, Any] = Field(default_factory=dict, description="fixed parameters")
    search: dict[str, tuple[Any, ...]] | None = Field(
        None, description="parameter → values to try; default the family's own space"
    )


class TrainSpec(Frozen):
    """Which candidates are fitted and how hard they are searched."""

    families: tuple[FamilySpec, ...] = Field(
        (FamilySpec(name="linear"), FamilySpec(name="boosting")),
        min_length=1,
        description="names, or fields for more",
    )
    trials: int = Field(4, ge=1, le=500, description="parameter settings tried per family")
    folds: int = Field(3, ge=2, le=20, description="cross-validation folds")
    search_rows: int = Field(
        200_000, ge=100, description="rows the search sees at most; the winner is refitted on all"
    )
    refit: bool = Field(
        False,
        # As if there were no such field: a spec without it is the same as before there was one.
        exclude_if=lambda refit: not refit,
        description="after a promotion, fit the winner's settings on window and holdout, and serve "
        "that model ([refit](../explanation/refit.md))",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of every random choice")
    threads: int = Field(1, ge=1, le=64, description="part of the run key: it can change bits")

    @field_validator("families", mode="before")
    @classmethod
    def _names_are_families(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [{"name": item} if isinstance(item, str) else item for item in value]

    @model_validator(mode="after")
    def _known_and_distinct(self) -> TrainSpec:
        names = [family.name for family in self.families]
        if len(set(names)) != len(names):
            raise ValueError("two families have the same name")
        for family in self.families:
            if family.estimator is None and (problem := family_problem(family.name)):
                raise ValueError(problem)
        return self
