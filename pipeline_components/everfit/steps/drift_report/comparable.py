"""What Evidently can compare: columns it would fail on, or pass over, are taken out and named.

Evidently raises on columns without values and on changes of type, and finds no drift where a
column is missing or holds infinities. It also writes texts into its page as they are, where those
of a hostile source could become markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["number", "category", "missing"]

MOST_CATEGORIES = 60
LONGEST_TEXT = 60
OTHERS = "(all others)"
NOTHING = "(missing)"

_HARMLESS = str.maketrans({"<": "‹", ">": "›", "&": "＆"})


@dataclass(frozen=True)
class Comparable:
    """Two tables with the same columns, each of one kind, and why others were left out."""

    reference: pd.DataFrame
    current: pd.DataFrame
    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    left_out: tuple[str, ...] = field(default=())

    @property
    def columns(self) -> list[str]:
        """All of them, in order."""
        return list(self.reference.columns)


def comparable(
    reference: pd.DataFrame, current: pd.DataFrame, kinds: Mapping[str, Kind]
) -> Comparable:
    """Keep what can be compared, as numbers or as texts.

    Parameters
    ----------
    kinds : mapping
        Column → how the monitor compared it; their order is kept.
    """
    import pandas as pd

    before: dict[str, pd.Series] = {}
    after: dict[str, pd.Series] = {}
    numbers, categories, left_out = [], [], []
    for name, kind in kinds.items():
        why = _why_not(reference.get(name), current.get(name), kind)
        if why:
            left_out.append(f"{name}: {why}")
            continue
        shown = _distinct_name(harmless(name), before)
        if kind == "number":
            before[shown] = reference[name].astype("float64")
            after[shown] = current[name].astype("float64")
            numbers.append(shown)
        else:
            before[shown], after[shown] = _texts(reference[name], current[name])
            categories.append(shown)
    return Comparable(
        pd.DataFrame(before),
        pd.DataFrame(after),
        tuple(numbers),
        tuple(categories),
        tuple(left_out),
    )


def harmless(text: str) -> str:
    """A text that is shown as it reads wherever it is put, and is not long."""
    plain = "".join(c if c.isprintable() else "�" for c in text.translate(_HARMLESS))
    return plain if len(plain) <= LONGEST_TEXT else plain[: LONGEST_TEXT - 1] + "…"


def _why_not(reference: pd.Series | None, current: pd.Series | None, kind: Kind) -> str:
    import pandas as pd

    if reference is None or current is None:
        return f"the {'reference' if reference is None else 'span'} does not have it"
    if kind == "missing":
        return "compared by its share of missing values alone"
    for side, values in (("reference", reference), ("span", current)):
        if not values.notna().any():
            return f"no value in the {side}"
        if kind == "number":
            if not pd.api.types.is_numeric_dtype(values.dtype):
                return f"not numbers in the {side}"
            infinite = int(np.isinf(values.astype("float64")).sum())
            if infinite:
                return f"{infinite:,} infinite values in the {side}'s sample"
    # One value on one side is enough: a distance in standard deviations of nothing means nothing.
    for side, values in (("reference", reference), ("span", current)):
        if values.nunique() < 2:
            return f"only one value in the {side}'s sample"
    return ""


def _texts(reference: pd.Series, current: pd.Series) -> tuple[pd.Series, pd.Series]:
    """As texts, the frequent ones; the others are one."""
    import pandas as pd

    sides = []
    for values in (reference, current):
        texts = values.astype("object").map(lambda value: harmless(str(value)), na_action="ignore")
        sides.append(texts.where(values.notna(), NOTHING))
    counts = pd.concat(sides, ignore_index=True).value_counts()
    ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    known = {text for text, _ in ranked[:MOST_CATEGORIES]}
    if len(ranked) > MOST_CATEGORIES:
        sides = [texts.where(texts.isin(known), OTHERS) for texts in sides]
    return sides[0].astype("object"), sides[1].astype("object")


def _distinct_name(name: str, taken: Mapping[str, object]) -> str:
    found, again = name, 2
    while found in taken:
        found, again = f"{name} ({again})", again + 1
    return found
