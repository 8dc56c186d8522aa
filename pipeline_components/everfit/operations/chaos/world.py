"""A copy of a pipeline in a folder of its own, put back to the moment before any step of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import NothingToDo, UserError
from everfit.contracts.messages.chain import ChainTask, training_tasks
from everfit.contracts.messages.steps import Order, RunOptions, Trigger
from everfit.contracts.messages.summaries import GateSummary
from everfit.contracts.settings import Settings
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.sources import Listing, list_spans
from everfit.engine import execute
from everfit.engine.context import Context, open_context
from everfit.engine.pipeline import ChainRun
from everfit.operations.chaos import promises
from everfit.operations.chaos.places import Places, places_of
from everfit.operations.chaos.seen import comparable, ledger_rows, mlflow_in_file, stored
from everfit.operations.delivery.sample import lay_in, least_spans
from everfit.storage.deployment import claim

RUNS = ("first", "second")
"""A pipeline that has nothing yet, and one that has lived through a training."""


@dataclass
class World:
    """One pipeline and what it has, apart from everything else on this machine.

    The source is read and the rows of its newest spans are thinned; ledger, store and MLflow are
    new ones of the kinds that the settings name.
    """

    spec: PipelineSpec
    places: Places
    rows: int
    """Of a span, about so many."""
    orders: dict[str, Order] = field(default_factory=dict)
    """Case's place, such as ``second/gate`` → the order of that step."""
    ended: dict[str, str] = field(default_factory=dict)
    """Run → what it came to, in words."""

    @property
    def settings(self) -> Settings:
        """Of the copy."""
        return self.places.settings

    def live(self, told: Callable[[str, float, float], None]) -> None:
        """Train twice, and keep the world before each step.

        Parameters
        ----------
        told : callable
            What is done, how much of it, and of how much.

        Raises
        ------
        EverfitError
            If the pipeline cannot be trained at all.
        """
        with open_context(self.settings) as context:
            listing = list_spans(self.spec.source, context.settings)
            least = least_spans(self.spec)
            if len(listing.spans) < least:
                raise UserError(
                    "CHAOS-SPANS",
                    self.spec.name,
                    f"{least} spans are needed to train and to judge",
                    f"the source has {len(listing.spans)}",
                    "Run it when more data is there",
                )
            grows = len(listing.spans) > least
            newest = [one.name for one in listing.spans[-(least + grows) :]]
            shown = {"first": newest[:least], "second": newest[grows:] if grows else newest}
            claim(context.ledger, context.store)  # as the first step of a training would
            everything = replace(context, visible=_only(newest))
            lay_in(self.spec, everything, self.rows)
            for number, name in enumerate(RUNS):
                spec = self.spec
                if number and not grows:  # the same rows, so another seed makes it another run
                    seed = spec.train.seed + 1
                    spec = spec.model_copy(
                        update={"train": spec.train.model_copy(update={"seed": seed})}
                    )
                self._train(name, spec, replace(context, visible=_only(shown[name])), told)

    def _train(
        self, name: str, spec: PipelineSpec, context: Context, told: Callable[..., None]
    ) -> None:
        options = RunOptions(force=True)
        run = ChainRun(spec, context, Trigger(reason="chaos", person="chaos"), options)
        tasks = list(training_tasks(spec))
        for number, task in enumerate(tasks):
            told(f"{name} training", number, len(tasks))
            place = f"{name}/{_plain(task)}"
            order = run.order(task)
            self.orders[place] = order
            self._write(place, order, context)
            self.places.keep(_file(place))
            try:
                outcome = run.perform(task)
            except NothingToDo as reason:
                self.ended[name] = reason.line
                return
            if isinstance(outcome.summary, GateSummary):
                self.ended[name] = outcome.summary.verdict
        told(f"{name} training", len(tasks), len(tasks))

    def _write(self, place: str, order: Order, context: Context) -> None:
        folder = self.places.folder / "orders"
        folder.mkdir(exist_ok=True)
        (folder / f"{_file(place)}.json").write_bytes(canonical_json(order))
        spans = context.visible(list_spans(order.pipeline.source, context.settings)).spans
        (folder / f"{_file(place)}.spans").write_text("\n".join(one.name for one in spans))

    def put_back(self, place: str) -> None:
        """The world as it was before a step."""
        self.places.put_back(_file(place))

    def carry_out(self, place: str) -> Callable[[], int]:
        """What a process does that is given the order of a step: the components' own entry."""
        stem = self.places.folder / "orders" / _file(place)
        names = stem.with_name(stem.name + ".spans").read_text().split("\n")
        outcome = stem.with_name(f"{stem.name}.{os.getpid()}.outcome")

        def work() -> int:
            order = stem.with_name(stem.name + ".json")
            return execute.carry_out(
                order, outcome, lambda context: replace(context, visible=_only(names))
            )

        return work

    def as_process(self) -> None:
        """In a child: the environment that such a process has, and its log on standard error."""
        import logging
        import sys

        os.environ.update(self.places.environ)
        logging.basicConfig(stream=sys.stderr, format="%(message)s", force=True)
        logging.getLogger().setLevel(logging.WARNING)

    def check(self, *, settled: bool) -> None:
        """What no kill, error or race may break, not even for a moment.

        Parameters
        ----------
        settled : bool
            And what holds once a step has ended.

        Raises
        ------
        Broken
            If a promise does not hold.
        """
        stored(self.settings)
        name = self.spec.name
        rows, mlflow = ledger_rows(self.settings.ledger), mlflow_in_file(self.settings, name)
        promises.check_ledger(rows, name)
        promises.check_alias(rows, mlflow, name)
        if settled:
            promises.check_settled(rows, mlflow, name)

    def state(self, place: str) -> dict[str, Any]:
        """All that outlives processes, comparable between worlds that ended alike.

        Parameters
        ----------
        place : str
            The step that has run: what a plan answers depends on the attempts before it, so of a
            plan it is only checked that what it stored is whole.
        """
        rows = ledger_rows(self.settings.ledger)
        # Every time that a pipeline is woken is recorded, so a second attempt is there twice.
        rows.pop("evaluations", None)
        store = stored(self.settings)
        if place.endswith("/plan"):
            store = {key: digest for key, digest in store.items() if key.startswith("results/")}
        return comparable(rows, mlflow_in_file(self.settings, self.spec.name), store)


def new_world(spec: PipelineSpec, settings: Settings, folder: Path, rows: int) -> World:
    """A world that has not lived yet.

    Parameters
    ----------
    spec : PipelineSpec
    settings : Settings
        Of the installation: where its source is, and of what kinds its places are.
    folder : Path
        New or empty; everything that is written on this machine is below it.
    rows : int
        Of each span, about so many.

    Raises
    ------
    UserError
        If the folder holds something, or the pipeline has images of its own.
    """
    if spec.images:
        raise UserError(
            "CHAOS-IMAGES",
            spec.name,
            "steps run in this process",
            "the spec names images of its own",
            "Take images out of a copy of the spec and run that",
        )
    if folder.exists() and any(folder.iterdir()):
        raise UserError(
            "CHAOS-FOLDER",
            str(folder),
            "the folder must be new or empty",
            f"it holds {next(folder.iterdir()).name}",
            "Name another with --in",
        )
    folder.mkdir(parents=True, exist_ok=True)
    gate = spec.gate.model_copy(update={"approval": "none"})
    train = spec.train.model_copy(update={"threads": 1})
    changed = spec.model_copy(update={"gate": gate, "train": train})
    return World(changed, places_of(settings, folder), rows)


def _only(names: list[str]) -> Callable[[Listing], Listing]:
    kept = frozenset(names)

    def visible(listing: Listing) -> Listing:
        return replace(listing, spans=tuple(span for span in listing.spans if span.name in kept))

    return visible


def _plain(task: ChainTask) -> str:
    return task.name.replace(" ", "-")


def _file(place: str) -> str:
    return place.replace("/", "-")


class Remembered:
    """The answers that clean processes gave: asked the same again, none is started.

    A gate starts an interpreter to see whether a model can be served, which takes seconds and
    writes nothing that lasts. The first answer is real.
    """

    def __init__(self) -> None:
        self._run = subprocess.run
        self._known: dict[Any, tuple[Any, dict[str, bytes]]] = {}

    def __call__(self, command: Any, **more: Any) -> Any:
        """Run it, or give the answer of the time before."""
        folder = more.get("cwd")
        if folder is None or "clean_process" not in " ".join(map(str, command)):
            return self._run(command, **more)
        before = _contents(Path(folder))
        key = tuple(sorted(before.items()))
        if key not in self._known:
            done = self._run(command, **more)
            after = _contents(Path(folder))
            written = {name: data for name, data in after.items() if before.get(name) != data}
            self._known[key] = (done, written)
        done, written = self._known[key]
        for name, data in written.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return done


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@contextmanager
def remembering() -> Iterator[None]:
    """Start no clean process twice for the same question."""
    run = subprocess.run
    subprocess.run = Remembered()  # type: ignore[assignment]
    try:
        yield
    finally:
        subprocess.run = run
