"""The one door to every component: order in, content key, work or cache hit, outcome out.

A component is a package with a ``door.py`` of four functions::

    request(order, upstream, context) -> Request       resolve the order; reads, never writes
    run(request, context)             -> Result        the work; a function of its request
    settle(request, result, context, order)            record in the ledger; idempotent, runs on
                                                       cache hits too; may raise NothingToDo
    tell(result, context)             -> Telling       summary, reports and links for people

and two constants: ``RESULT`` (the result's type) and ``CACHED`` (whether a found key is a hit;
false for those that read or change the world: plan, extract, register). It may have a fifth::

    unheard(request, result, context) -> bool          whether the ledger does not know it yet, so
                                                       that it is news; asked before ``settle``.
                                                       Without it, all but a cache hit is news

The result is published in one atomic create under ``results/<component>/<key>.json``; a kill
before leaves nothing that counts, a kill after leaves a cache hit.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from pipeline_components.context import Context, open_context, pin_threads
from pipeline_components.contracts.artifacts import Artifact
from pipeline_components.contracts.base import Digest, Frozen, canonical_json, digest_of
from pipeline_components.contracts.errors import (
    EXIT_RETRY,
    EverfitError,
    NothingToDo,
    RequestError,
    from_system,
)
from pipeline_components.contracts.looks import Cost
from pipeline_components.contracts.planning import ChampionRef, PlanResult, Signal
from pipeline_components.contracts.settings import Settings
from pipeline_components.contracts.steps import CHAIN, Component, Ended, News, Order, Outcome
from pipeline_components.identity import code_digest, environment_digest
from pipeline_components.ledger.records import EvaluationRecord
from pipeline_components.outcome_size import fitted, limit_of
from pipeline_components.store import result_key
from pipeline_components.version.signing import verified_champion

# By name: this module runs as ``__main__`` in a process of its own, whose logger nobody hears.
log = logging.getLogger("pipeline_components.door")


@dataclass(frozen=True)
class Telling:
    """What people are shown of a result."""

    summary: dict[str, Any] = field(default_factory=dict)
    reports: dict[str, Artifact] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    signals: tuple[Signal, ...] = ()
    news: tuple[News, ...] = ()
    """What people may want to hear; passed on where it is ``unheard``."""


class Step(Protocol):
    """What a component's ``door`` module offers."""

    RESULT: type[Frozen]
    CACHED: bool

    def request(self, order: Order, upstream: Upstream, context: Context) -> Frozen:
        """Resolve an order into a complete request."""

    def run(self, request: Any, context: Context) -> Frozen:
        """Do the work."""

    def settle(self, request: Any, result: Any, context: Context, order: Order) -> None:
        """Record the result in the ledger."""

    def tell(self, result: Any, context: Context) -> Telling:
        """Summarise the result."""


Result = TypeVar("Result", bound=Frozen)


class Upstream:
    """Typed access to the results an order names."""

    def __init__(self, order: Order, context: Context) -> None:
        self._order, self._context = order, context

    def has(self, component: Component) -> bool:
        """Whether the order names results of a component."""
        return bool(self._order.upstream.get(component))

    def all(self, component: Component, kind: type[Result]) -> tuple[Result, ...]:
        """Every result of a component, in the order named.

        Raises
        ------
        RequestError
            If the order names none.
        """
        digests = self._order.upstream.get(component, ())
        if not digests:
            raise RequestError(
                "ORDER-UPSTREAM",
                self._order.component,
                f"an order must name the result of {component}",
                todo="Run the chain from its beginning",
            )
        return tuple(kind.model_validate_json(self._context.store.get(d)) for d in digests)

    def one(self, component: Component, kind: type[Result]) -> Result:
        """The only result of a component."""
        return self.all(component, kind)[0]

    def champion(self, run_key: Digest) -> ChampionRef | None:
        """What a run is compared with: pinned when the run was opened, else as planned.

        A rerun is compared with what the run was compared with, whoever is champion by now.

        Raises
        ------
        IntegrityError
            If the signed record of its version does not say the same.
        """
        run = self._context.ledger.run(run_key)
        champion = run.champion if run else self.one("plan", PlanResult).champion
        if champion is not None:
            verified_champion(champion, self._order.pipeline.name, self._context)
        return champion


def step(component: Component) -> Step:
    """A component's door module, imported only now."""
    module: Any = importlib.import_module(f"pipeline_components.{component}.door")
    return module  # type: ignore[no-any-return]


def perform(order: Order, context: Context) -> Outcome:
    """Carry out one order.

    Raises
    ------
    NothingToDo
        If there is no work; the ledger has the reason.
    EverfitError
        If it cannot be done.
    """
    began, worked = time.monotonic(), _cpu_seconds()
    component = step(order.component)
    request = component.request(order, Upstream(order, context), context)
    # Another image is another program, though it may hold the same code of ours.
    image = order.pipeline.image_of(order.component)
    key = digest_of(
        {
            **({"image": image} if image else {}),
            "component": order.component,
            "code": code_digest(),
            "environment": environment_digest(),
            "request": request.model_dump(mode="json"),
        }
    )
    where = result_key(order.component, key)
    found = context.store.reuse(where) if component.CACHED else None
    if found is None:
        # As its bytes say it, not as it was built: mappings in the order of a YAML would let one
        # key stand for two results.
        request = type(request).model_validate_json(canonical_json(request))
        log.info("%s %s: key %s", order.pipeline.name, order.component, key[:12])
        result = component.run(request, context)
        document = canonical_json(result)
        if component.CACHED and not context.store.create(where, document):
            document = context.store.read(where) or document  # someone was first; theirs counts
            result = component.RESULT.model_validate_json(document)
    else:
        document = found
        result = component.RESULT.model_validate_json(document)
    stored = context.store.put(f"{order.component}.json", document)
    if found is None and order.component in CHAIN and order.component != "plan":
        context.ledger.record_cost(
            Cost(
                result=stored.digest,
                component=order.component,
                seconds=round(time.monotonic() - began, 3),
                cpu_seconds=round(_cpu_seconds() - worked, 3),
                peak_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
            )
        )
    asked = getattr(component, "unheard", None)
    unheard = bool(asked(request, result, context)) if asked else found is None
    try:
        component.settle(request, result, context, order)
    except NothingToDo as reason:
        telling = component.tell(result, context)
        reason.document = canonical_json(
            Ended(
                nothing_to_do=reason.line,
                reports=telling.reports,
                links=telling.links,
                news=telling.news if unheard else (),
            )
        )
        raise
    telling = component.tell(result, context)
    seconds = round(time.monotonic() - began, 3)
    log.info(
        "%s %s: %s in %.1f s; %s",
        order.pipeline.name, order.component, "cache hit" if found else "done", seconds,
        ", ".join(f"{name}={value}" for name, value in telling.summary.items()),
    )  # fmt: skip
    return Outcome(
        component=order.component,
        result=stored.digest,
        key=key,
        cached=found is not None,
        seconds=seconds,
        summary=telling.summary,
        reports=telling.reports,
        links=telling.links,
        signals=telling.signals,
        news=telling.news if unheard else (),
    )


def _cpu_seconds() -> float:
    """Of this process and the children it has waited for."""
    mine, theirs = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def _note_the_end(order: Order, reason: NothingToDo, context: Context) -> None:
    """A training that ends after plan without a verdict is over: what woke it is dealt with."""
    if "plan" not in order.upstream:
        return
    context.ledger.record_evaluation(
        order.pipeline.name,
        EvaluationRecord(
            trigger=order.trigger, decision="skip", because=reason.line, run_key=None, stage="end"
        ),
    )


def read_order(path: Path) -> Order:
    """Read and validate ``order.json``.

    Raises
    ------
    RequestError
        If it is not a valid order.
    """
    try:
        return Order.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        field_path = ".".join(map(str, first["loc"])) or "the document"
        raise RequestError(
            "ORDER", f"{path.name} {field_path}", first["msg"], todo="Check the spec and try again"
        ) from error
    except OSError as error:
        raise RequestError(
            "ORDER", path.name, "an order must be a readable file", error.strerror,
            "Check the path",
        ) from error  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """``python -m pipeline_components.door --order FILE --outcome FILE``."""
    parser = argparse.ArgumentParser(prog="python -m pipeline_components.door")
    parser.add_argument("--order", type=Path, required=True, help="the order to carry out (JSON)")
    parser.add_argument("--outcome", type=Path, required=True, help="where to write the outcome")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    logging.getLogger("pipeline_components").setLevel(logging.INFO)
    limit: int | None = None
    try:
        limit = limit_of(os.environ)
        order = read_order(options.order)
        pin_threads(order.pipeline.train.threads)
        with open_context(Settings.from_environment()) as context:
            outcome = perform(order, context)
        options.outcome.write_bytes(fitted(outcome, limit))
    except NothingToDo as reason:
        return _end(reason, options.outcome, limit)
    except EverfitError as error:
        log.debug("details", exc_info=True)
        log.error("%s", error.line)
        return error.exit_code
    except OSError as error:
        log.debug("details", exc_info=True)
        plain = from_system(error)
        log.error("%s", plain.line)
        return plain.exit_code
    except Exception:
        log.exception("INTERNAL: this is a defect of Everfit; please report it with this log")
        return EXIT_RETRY
    return 0


def _end(reason: NothingToDo, outcome: Path, limit: int | None) -> int:
    """Leave what there is to say of an end without work."""
    ended = Ended(nothing_to_do=reason.line)
    if reason.document:
        ended = Ended.model_validate_json(reason.document)
    try:
        outcome.write_bytes(fitted(ended, limit))
    except EverfitError as error:
        log.error("%s", error.line)
        return error.exit_code
    log.info("%s", reason.line)
    return reason.exit_code


if __name__ == "__main__":
    sys.exit(main())
