"""Carry out one order: request, content key, work or cache hit, record, outcome.

The result of a step (``engine/step.py``) is stored under its digest, and then the ledger records
that under its content key, in one atomic insert (``storage/kept.py``); a kill before leaves nothing
that counts, a kill after leaves a cache hit.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import (
    EXIT_RETRY,
    EXIT_USER,
    EverfitError,
    NothingToDo,
    RequestError,
    UserError,
    from_data,
    from_system,
)
from everfit.contracts.extras import missing_extra
from everfit.contracts.messages.chain import CHAIN
from everfit.contracts.messages.evaluations import Cost
from everfit.contracts.messages.steps import Ended, Order, Outcome
from everfit.contracts.settings import Settings
from everfit.engine.board import publish_after
from everfit.engine.context import Context, open_context, pin_threads
from everfit.engine.fingerprints import content_key
from everfit.engine.outcome_size import fitted, limit_of
from everfit.engine.step import RequestT, ResultT, Step, load_step
from everfit.engine.stopping import EXIT_TERMINATED, STOPPED, Terminated, terminable
from everfit.engine.upstream import Upstream
from everfit.storage.deployment import claim
from everfit.storage.kept import Recalled, keep, recall
from everfit.storage.ledger.records import EvaluationRecord

# By name: this module runs as ``__main__`` in a process of its own, whose logger nobody hears.
log = logging.getLogger("everfit.engine.execute")


def perform(order: Order, context: Context) -> Outcome:
    """Carry out one order.

    Raises
    ------
    NothingToDo
        If there is no work; the ledger has the reason.
    EverfitError
        If it cannot be done.
    """
    try:
        outcome = _perform(load_step(order.component), order, context)
    except NothingToDo:
        publish_after(order.component, order.pipeline, context)
        raise
    publish_after(order.component, order.pipeline, context)
    return outcome


def _perform(step: Step[RequestT, ResultT], order: Order, context: Context) -> Outcome:
    began, worked = time.monotonic(), _cpu_seconds()
    if context.is_real:
        claim(context.ledger, context.store)
    request = step.request(order, Upstream(order, context), context)
    key = content_key(step.name, request, order.pipeline.image_of(step.name))
    recalled = recall(step.name, key, context) if step.cached else Recalled(None)
    found = recalled.document
    if found is None:
        # As its bytes say it, not as it was built: mappings in the order of a YAML would let one
        # key stand for two results.
        request = type(request).model_validate_json(canonical_json(request))
        log.info("%s %s: key %s", order.pipeline.name, step.name, key[:12])
        with _no_exit(f"{order.pipeline.name} {step.name}"):
            result = step.run(request, context)
        document = canonical_json(result)
        if step.cached:
            kept = keep(step.name, key, document, context, recalled.number)
            if kept != document:  # someone was first; theirs counts
                document, result = kept, step.result_type.model_validate_json(kept)
    else:
        document = found
        result = step.result_type.model_validate_json(document)
    stored = context.store.put(f"{step.name}.json", document)
    if found is None and step.name in CHAIN and step.name != "plan":
        context.ledger.record_cost(
            Cost(
                result=stored.digest,
                component=step.name,
                seconds=round(time.monotonic() - began, 3),
                cpu_seconds=round(_cpu_seconds() - worked, 3),
                peak_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
            )
        )
    is_news = step.is_news(request, result, context, found is not None)
    try:
        step.record(request, result, context, order)
    except NothingToDo as reason:
        record_end(order, reason, context)
        report = step.report(result, context)
        reason.document = canonical_json(
            Ended(
                nothing_to_do=reason.line,
                reports=report.reports,
                links=report.links,
                news=report.news if is_news else (),
            )
        )
        raise
    report = step.report(result, context)
    seconds = round(time.monotonic() - began, 3)
    log.info(
        "%s %s: %s in %.1f s; %s",
        order.pipeline.name,
        step.name,
        "cache hit" if found else "done",
        seconds,
        ", ".join(f"{name}={value}" for name, value in report.summary.shown().items()),
    )
    return Outcome(
        component=step.name,
        result=stored.digest,
        key=key,
        cached=found is not None,
        seconds=seconds,
        summary=report.summary,
        reports=report.reports,
        links=report.links,
        signals=report.signals,
        news=report.news if is_news else (),
    )


@contextmanager
def _no_exit(where: str) -> Iterator[None]:
    """Turn an exit by code of the user's, an estimator's or a check's, into an error.

    Otherwise a step that did not finish would end with the exit code of one that did. ``os._exit``
    is replaced meanwhile in this process alone; its forked children end by it as ever. What ends
    the process without Python, such as ``_exit`` in C, is not seen.

    Raises
    ------
    UserError
        If the step's work ends in ``SystemExit``, or calls ``os._exit``.
    """
    owner, leave = os.getpid(), os._exit

    def refuse(status: int) -> NoReturn:
        if os.getpid() != owner:
            leave(status)
        raise SystemExit(status)

    os._exit = refuse
    try:
        yield
    except SystemExit as error:
        raise UserError(
            "STEP-EXIT",
            where,
            "a step must come to its end",
            f"code that it called tried to end the process (exit code {error.code})",
            "Take sys.exit and os._exit out of the pipeline's own estimators and checks",
        ) from error
    finally:
        os._exit = leave


def _cpu_seconds() -> float:
    """Of this process and the children it has waited for."""
    mine, theirs = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def record_end(order: Order, reason: NothingToDo, context: Context) -> None:
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
            "ORDER",
            path.name,
            "an order must be a readable file",
            error.strerror,
            "Check the path",
        ) from error


def main(arguments: list[str] | None = None) -> int:
    """``python -m everfit.engine.execute --order FILE --outcome FILE``."""
    parser = argparse.ArgumentParser(prog="python -m everfit.engine.execute")
    parser.add_argument("--order", type=Path, required=True, help="the order to carry out (JSON)")
    parser.add_argument("--outcome", type=Path, required=True, help="where to write the outcome")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    logging.getLogger("everfit").setLevel(logging.INFO)
    return carry_out(options.order, options.outcome)


def carry_out(
    order_file: Path, outcome_file: Path, within: Callable[[Context], Context] = lambda same: same
) -> int:
    """Do what a process does that is given an order; a failure is one line of the log.

    Parameters
    ----------
    order_file, outcome_file : Path
        The order to read, and where to write the outcome.
    within : callable, optional
        Gives the context to work in, from that of the settings.

    Returns
    -------
    int
        The exit code.
    """
    limit: int | None = None
    try:
        limit = limit_of(os.environ)
        order = read_order(order_file)
        pin_threads(order.pipeline.train.threads)
        with terminable(), open_context(Settings.from_environment()) as context:
            outcome = perform(order, within(context))
        outcome_file.write_bytes(fitted(outcome, limit))
    except NothingToDo as reason:
        return _end(reason, outcome_file, limit)
    except Terminated:
        log.error("%s", STOPPED)
        return EXIT_TERMINATED
    except EverfitError as error:
        log.debug("details", exc_info=True)
        log.error("%s", error.line)
        return error.exit_code
    except OSError as error:
        log.debug("details", exc_info=True)
        plain = from_system(error)
        log.error("%s", plain.line)
        return plain.exit_code
    except Exception as error:
        missing = missing_extra(error) if isinstance(error, ModuleNotFoundError) else None
        explained = missing or from_data(error)
        if explained is not None:
            log.debug("details", exc_info=True)
            log.error("%s", explained.line)
            return explained.exit_code
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
    log.log(logging.ERROR if reason.exit_code == EXIT_USER else logging.INFO, "%s", reason.line)
    return reason.exit_code


if __name__ == "__main__":
    sys.exit(main())
