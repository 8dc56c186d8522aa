"""One session: make the copy, run cases until the time is over, write the page."""

from __future__ import annotations

import logging
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from everfit.contracts.base import Frozen, canonical_json
from everfit.contracts.errors import UserError
from everfit.contracts.settings import Settings
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.progress import Progress
from everfit.operations.chaos.cases import NAME, Case, Result, Rig, find_case, in_turn
from everfit.operations.chaos.page import Tried, chaos_page
from everfit.operations.chaos.world import new_world, remembering

MINUTE = 60.0
PAGE = "chaos.html"
DOCUMENT = "chaos.json"


@dataclass(frozen=True)
class Wanted:
    """What a session is to do."""

    minutes: float
    rows: int
    """Of each span, about so many."""
    seed: int
    case: str = ""
    """This one alone."""


class BrokenCase(Frozen):
    """A case in which a promise did not hold."""

    case: str
    act: str = Field(description="what the process was about to do")
    what: str


class Session(Frozen):
    """What was tried and found."""

    pipeline: str
    seed: int
    cases: int = Field(description="that were run")
    there: int = Field(description="that there are")
    kinds: dict[str, int] = Field(description="fault → cases run")
    not_reached: int = Field(description="cases whose act never came")
    broken: tuple[BrokenCase, ...]
    seconds: float
    page: str = Field("", description="the report")


def chaos(
    spec: PipelineSpec, settings: Settings, folder: Path, wanted: Wanted, progress: Progress
) -> Session:
    """Try a pipeline.

    Parameters
    ----------
    spec : PipelineSpec
    settings : Settings
        Of the installation; nothing of it is written.
    folder : Path
        New or empty; the copy and the page are in it, and stay.
    wanted : Wanted
    progress : Progress

    Raises
    ------
    UserError
        If the folder is in use, or there is no such case.
    EverfitError
        If the pipeline cannot be trained where nothing goes wrong.
    """
    began = time.monotonic()
    if wanted.case and not NAME.fullmatch(wanted.case):
        raise _no_case(wanted.case)
    world = new_world(spec, settings, folder, wanted.rows)
    quiet = logging.getLogger("everfit")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with remembering():
            world.live(progress.update)
            rig = Rig(world)
            places = list(world.orders)
            for number, place in enumerate(places):
                progress.update("each step without a fault", number, len(places))
                rig.whole(place)
            cases, there = _cases(rig, places, wanted)
            results = _run(rig, cases, there, wanted, progress)
    finally:
        quiet.setLevel(level)
        world.places.drop()
    tried = Tried(
        pipeline=spec.name,
        where=world.places.words(),
        seed=wanted.seed,
        seconds=time.monotonic() - began,
        trainings=world.ended,
        there=there,
        results=results,
        usual={place: rig.whole(place).seconds for place in places},
    )
    page = folder / PAGE
    page.write_bytes(
        chaos_page(tried, f"everfit chaos {spec.name} --rows {wanted.rows} --seed {wanted.seed}")
    )
    found = _told(tried, page)
    (folder / DOCUMENT).write_bytes(canonical_json(found))
    return found


def _no_case(name: str) -> UserError:
    return UserError(
        "CHAOS-CASE",
        name,
        "a case is a fault, a training, a step and the number of an act",
        "there is none of that name",
        "Name one as the page does, such as kill/second/register/37",
    )


def _cases(rig: Rig, places: list[str], wanted: Wanted) -> tuple[list[Case], int]:
    if wanted.case:
        case = find_case(wanted.case, rig)
        if case is None:
            raise _no_case(wanted.case)
        return [case], 1
    cases = list(in_turn(rig, places, wanted.seed))
    return cases, len(cases)


def _run(
    rig: Rig, cases: list[Case], there: int, wanted: Wanted, progress: Progress
) -> list[Result]:
    results: list[Result] = []
    most = wanted.minutes * MINUTE
    began = time.monotonic()
    with suppress(KeyboardInterrupt):  # what was tried until then is told
        for case in cases:
            gone = time.monotonic() - began
            if gone > most and results:
                break
            broken = sum(bool(one.broken) for one in results)
            share = max(gone / most, len(results) / there)
            progress.update(f"cases, {broken} broken" if broken else "cases", min(share, 1), 1)
            results.append(rig.run(case))
    progress.update("cases", 1, 1)
    return results


def _told(tried: Tried, page: Path) -> Session:
    return Session(
        pipeline=tried.pipeline,
        seed=tried.seed,
        cases=len(tried.results),
        there=tried.there,
        kinds=dict(Counter(one.case.kind for one in tried.results)),
        not_reached=sum(not one.came for one in tried.results),
        broken=tuple(
            BrokenCase(case=one.case.name, act=one.act, what=one.broken) for one in tried.broken
        ),
        seconds=round(tried.seconds, 1),
        page=str(page),
    )
