"""What is done to a step, one case each: the fault, where it strikes, and how it is judged."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from everfit.operations.chaos.acts import (
    Deed,
    Ended,
    asking,
    full,
    in_child,
    killing,
    racing,
    read_only,
)
from everfit.operations.chaos.seen import Broken, hold
from everfit.operations.chaos.world import RUNS, World

FILES = ("open", "os.", "fsync")
NETWORK = ("http",)
SQL = ("sql",)

ENDS = (0, 2, 3, 75)
"""Exit codes that say what to do: done, correct it, nothing to do, try again."""

LINE = re.compile(r"[A-Z]+(-[A-Z0-9]+)* \S.*: .+\.")
"""What a failure says last."""

RACERS = (2, 4)

Kind = Literal["kill", "disk-full", "read-only", "frozen", "network", "database", "race"]

KINDS: dict[Kind, str] = {
    "kill": "the process is killed (SIGKILL) before an outward act",
    "disk-full": "every write from an act on fails: no space is left",
    "read-only": "every write from an act on fails: the disk is read-only",
    "frozen": "the process stops at an act, another does the same step, then it goes on",
    "network": "a request to S3 is not sent, or its answer is lost after it was carried out",
    "database": "the ledger's server ends every connection at an act",
    "race": "several processes do the same step at one moment",
}
"""Fault → what it is, in a sentence."""

ONLY: dict[Kind, tuple[str, ...]] = {
    "disk-full": FILES,
    "read-only": FILES,
    "network": NETWORK,
    "database": SQL,
}
"""The acts that a fault strikes; all of them where it is not here."""


@dataclass(frozen=True)
class Case:
    """One fault at one act of one step."""

    kind: Kind
    place: str
    """Run and step, such as ``second/gate``."""
    point: int
    """The act, from 1; of a race, the number of processes."""

    @property
    def name(self) -> str:
        """What ``--case`` takes."""
        return f"{self.kind}/{self.place}/{self.point}"


@dataclass(frozen=True)
class Result:
    """What came of a case."""

    case: Case
    act: str
    """What the process was about to do."""
    broken: str
    """The promise that does not hold and how; empty where all of them do."""
    recovery: float
    """Seconds that the next attempt took."""
    came: bool = True
    """Whether the act was reached: a server may be asked once less than the time before."""


@dataclass(frozen=True)
class Whole:
    """A step where nothing goes wrong."""

    acts: tuple[str, ...]
    code: int
    state: dict[str, Any]
    seconds: float


class Rig:
    """Runs cases on a world, each from the same moment.

    Parameters
    ----------
    world : World
        That has lived.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._whole: dict[str, Whole] = {}

    def whole(self, place: str) -> Whole:
        """The step without a fault; done once.

        Raises
        ------
        Broken
            If a promise does not hold although nothing went wrong.
        """
        if place not in self._whole:
            world = self.world
            world.put_back(place)
            began = time.monotonic()
            ended = self._child(place)
            seconds = time.monotonic() - began
            hold(not ended.killed and ended.code in ENDS, f"without a fault: {ended.said}")
            world.check(settled=_is_last(place))
            self._whole[place] = Whole(ended.acts, ended.code, world.state(place), seconds)
        return self._whole[place]

    def kinds(self) -> tuple[Kind, ...]:
        """The faults that can strike a copy of this kind."""
        missing = set()
        if not self.world.settings.store.startswith("s3://"):
            missing.add("network")
        if self.world.places.database is None:
            missing.add("database")
        return tuple(kind for kind in KINDS if kind not in missing)

    def cases(self, place: str) -> dict[Kind, list[Case]]:
        """Every case of a step."""
        acts = self.whole(place).acts
        found: dict[Kind, list[Case]] = {}
        for kind in self.kinds():
            only = ONLY.get(kind, ("",))
            many = sum(act.startswith(only) for act in acts)
            points: Sequence[int] = range(1, many + 1) if kind != "race" else RACERS
            found[kind] = [Case(kind, place, point) for point in points]
        return found

    def run(self, case: Case) -> Result:
        """Do what the case says, look, try again, look again."""
        whole, world = self.whole(case.place), self.world
        only = ONLY.get(case.kind, ("",))
        struck = [act for act in whole.acts if act.startswith(only)]
        act = struck[case.point - 1] if case.kind != "race" and case.point <= len(struck) else ""
        world.put_back(case.place)
        came, recovery = True, 0.0
        try:
            ends = self._strike(case, only)
            came = case.kind != "kill" or any(one.killed for one in ends)
            for one in ends:
                _check_end(one)
            world.check(settled=False)
            began = time.monotonic()
            again = self._child(case.place)
            recovery = time.monotonic() - began
            hold(
                again.code == whole.code,
                f"run again, it ends with {again.code} instead of {whole.code}: {again.said}",
            )
            world.check(settled=_is_last(case.place))
            state = world.state(case.place)
            hold(
                state == whole.state,
                "run again, something is not as if nothing had gone wrong: "
                + difference(whole.state, state),
            )
        except Broken as error:
            return Result(case, act, str(error), recovery, came)
        return Result(case, act, "", recovery, came)

    def _strike(self, case: Case, only: tuple[str, ...]) -> list[Ended]:
        world = self.world
        if case.kind == "race":
            work = [world.carry_out(case.place)] * case.point
            return racing(work, world.as_process)
        deed, onwards, asked = self._deed(case)
        return [
            self._child(
                case.place, at=case.point, deed=deed, onwards=onwards, only=only, asked=asked
            )
        ]

    def _deed(self, case: Case) -> tuple[Deed, bool, Callable[[], None]]:
        def nothing() -> None:
            """Nobody asks."""

        if case.kind == "kill":
            return killing, False, nothing
        if case.kind in ("disk-full", "read-only"):
            return (full if case.kind == "disk-full" else read_only), True, nothing
        if case.kind == "network":
            return _lost, False, nothing
        if case.kind == "frozen":
            return asking, False, lambda: _check_end(self._child(case.place))
        database = self.world.places.database
        return asking, False, database.disconnect if database else nothing

    def _child(
        self,
        place: str,
        *,
        at: int = 0,
        deed: Deed = killing,
        onwards: bool = False,
        only: tuple[str, ...] = ("",),
        asked: Callable[[], None] = lambda: None,
    ) -> Ended:
        return in_child(
            self.world.carry_out(place),
            self.world.settings.home,
            at=at,
            deed=deed,
            onwards=onwards,
            only=only,
            before=self.world.as_process,
            asked=asked,
        )


def _lost(act: str) -> None:
    raise ConnectionResetError(f"{act}: the connection was reset")


def _check_end(ended: Ended) -> None:
    """Killed on purpose, or an end that says what to do."""
    if ended.killed:
        return
    last = ended.said.strip().splitlines()[-1:] or [""]
    hold(ended.code in ENDS, f"it ends with {ended.code}: {last[0]}")
    hold("Traceback" not in ended.said, f"it ends in a traceback: {last[0]}")
    if ended.code in (2, 75):
        hold(bool(LINE.search(last[0])), f"its last line does not say what to do: {last[0]!r}")


def _is_last(place: str) -> bool:
    return place.endswith(("/register", "/refit"))


def difference(wanted: Any, found: Any, where: str = "") -> str:
    """The first place in which two values differ, in words."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted({*wanted, *found}, key=str):
            if key not in found:
                return f"{where}/{key} is missing"
            if key not in wanted:
                return f"{where}/{key} is there"
            if wanted[key] != found[key]:
                return difference(wanted[key], found[key], f"{where}/{key}")
    if isinstance(wanted, list) and isinstance(found, list):
        if len(wanted) != len(found):
            return f"{where} has {len(found)} entries instead of {len(wanted)}"
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            if one != other:
                return difference(one, other, f"{where}/{number}")
    return f"{where} is {str(found)[:80]} instead of {str(wanted)[:80]}"


def in_turn(rig: Rig, places: Sequence[str], seed: int) -> Iterator[Case]:
    """Every case once, each fault and step in turn, the acts of each in an order of chance.

    Parameters
    ----------
    rig : Rig
    places : sequence of str
        Steps, such as ``second/gate``.
    seed : int
        The same seed gives the same order.
    """
    chance = random.Random(seed)  # noqa: S311
    waiting = [list(rig.cases(place).values()) for place in places]
    for kinds in waiting:
        for cases in kinds:
            chance.shuffle(cases)
    chance.shuffle(waiting)
    while any(cases for kinds in waiting for cases in kinds):
        for kinds in waiting:  # of one step together: little has to be put back between them
            for cases in kinds:
                if cases:
                    yield cases.pop()


NAME = re.compile(rf"({'|'.join(KINDS)})/({'|'.join(RUNS)})/[a-z0-9_-]+/[1-9][0-9]*")
"""What the name of a case looks like."""


def find_case(name: str, rig: Rig) -> Case | None:
    """The case of that name, or None."""
    kind, _, rest = name.partition("/")
    place, _, _ = rest.rpartition("/")
    if place not in rig.world.orders or kind not in rig.kinds():
        return None
    known = {case.name: case for case in rig.cases(place)[kind]}
    return known.get(name)


__all__ = ["KINDS", "NAME", "Case", "Result", "Rig", "find_case", "in_turn"]
