"""The page of ``everfit chaos``: what was tried, what held, and how to run one case again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from everfit.contracts import wording
from everfit.operations.chaos.cases import KINDS, Result
from everfit.operations.chaos.promises import PROMISES
from everfit.reporting.templating import Tone, render

TEMPLATE = "operations/chaos/page.html.j2"


@dataclass(frozen=True)
class Tried:
    """One session."""

    pipeline: str
    where: str
    """What the copy was on, in words."""
    seed: int
    seconds: float
    trainings: Mapping[str, str]
    """Run → what it came to."""
    there: int
    """Cases there are."""
    results: Sequence[Result]
    usual: Mapping[str, float]
    """Step → seconds it takes where nothing goes wrong."""

    @property
    def broken(self) -> list[Result]:
        """Cases in which a promise did not hold."""
        return [result for result in self.results if result.broken]


def chaos_page(tried: Tried, command: str) -> bytes:
    """One self-contained HTML page.

    Parameters
    ----------
    tried : Tried
    command : str
        What runs one case again; the case's name is appended.
    """
    broken = len(tried.broken)
    badge = f"{broken} broken" if broken else "all held"
    tone: Tone = "bad" if broken else "good"
    return render(
        TEMPLATE,
        title=f"Chaos: {tried.pipeline}",
        kicker="Everfit · chaos",
        lead=_lead(tried),
        badge=badge,
        tone=tone,
        kinds=_kinds(tried),
        steps=_steps(tried),
        promises=PROMISES,
        broken=[
            (one.case.name, one.act, one.broken, f"{command} --case {one.case.name}")
            for one in tried.broken
        ],
        facts=[
            ("On", tried.where),
            ("Trainings", ", ".join(f"{name}: {end}" for name, end in tried.trainings.items())),
            ("Seed", str(tried.seed)),
            ("Not reached", wording.count(sum(not one.came for one in tried.results), "case")),
        ],
    )


def _lead(tried: Tried) -> str:
    done = wording.count(len(tried.results), "case")
    left = tried.there - len(tried.results)
    rest = f" of {wording.number(tried.there)}" if left else ", all there are,"
    what = (
        f"In {wording.count(len(tried.broken), 'case')} a promise did not hold."
        if tried.broken
        else "Every promise held in all of them."
    )
    return f"{done}{rest} were run in {wording.duration(tried.seconds)}. {what}"


def _kinds(tried: Tried) -> list[tuple[str, str, int, int]]:
    """Fault, what it is, cases, cases in which a promise broke."""
    by = defaultdict(list)
    for one in tried.results:
        by[one.case.kind].append(one)
    return [
        (kind, words, len(by[kind]), sum(bool(one.broken) for one in by[kind]))
        for kind, words in KINDS.items()
        if by[kind]
    ]


def _steps(tried: Tried) -> list[tuple[str, int, int, float, float, float]]:
    """Step, cases, broken, seconds usually, of the next attempt in the middle, and at most."""
    by = defaultdict(list)
    for one in tried.results:
        by[one.case.place].append(one)
    rows = []
    for place, found in by.items():
        took = [one.recovery for one in found]
        broken = sum(bool(one.broken) for one in found)
        rows.append(
            (place, len(found), broken, tried.usual.get(place, 0.0), median(took), max(took))
        )
    return sorted(rows, key=lambda row: list(tried.usual).index(row[0]))
