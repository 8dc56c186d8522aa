"""From a task's surroundings to its order: trigger, options, forms and the results before it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from everfit.contracts.base import Digest
from everfit.contracts.messages.people import PersonRequest
from everfit.contracts.messages.scoring import ScoreOptions
from everfit.contracts.messages.steps import (
    Component,
    Order,
    Outcome,
    RunOptions,
    RunType,
    Trigger,
)
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.score import database_in
from everfit_airflow.dags.assets import signals_in_words
from everfit_airflow.operators.failures import UserActionRequired

RUN_TYPES: dict[str, RunType] = {
    "manual": "manual",
    "operator_triggered": "manual",
    "scheduled": "scheduled",
    "backfill": "backfill",
    "asset_triggered": "asset",
    "asset_materialization": "asset",
}
"""Airflow's run type → ours. What woke a pipeline is read from the run, never from its form."""


LONGEST_REASON = 500
"""Letters of what a person says why."""


@dataclass(frozen=True)
class AirflowRun:
    """What Airflow knows of how a run came about."""

    run_type: str
    run_id: str
    due: str = ""
    """ISO time of the tick of a scheduled run."""
    assets: tuple[str, ...] = ()
    """URIs of the assets whose events woke the run."""
    person: str = ""
    """Who started it, as Airflow knows them; empty where nobody did."""

    def trigger(self, form: Mapping[str, Any]) -> Trigger:
        """The same in our words; why an asset woke a run is never read from a form."""
        ours = RUN_TYPES.get(self.run_type, "manual")
        reason = signals_in_words(self.assets) if ours == "asset" else str(form.get("reason") or "")
        return Trigger(
            run_type=ours,
            reason=reason.strip(),
            run_id=self.run_id,
            due=self.due,
            person=" ".join(self.person.split())[:100],
        )


def make_order(
    component: Component,
    spec: PipelineSpec,
    family: str | None,
    run: AirflowRun,
    form: Mapping[str, Any],
    upstream: Mapping[Component, Sequence[Any]],
    sweep: bool = False,
    requested: PersonRequest | None = None,
    scoring: ScoreOptions | None = None,
) -> Order:
    """The order of one task.

    Parameters
    ----------
    form : mapping
        The run's ``window``, ``force``, ``cooldown`` and ``reason``; monitoring has none.
    upstream : mapping
        Component whose result is read → outcomes of its tasks, as XCom gives them back.
    sweep : bool
        Of plan: only say what a wake would come to.
    requested : PersonRequest, optional
        Of promote: what a person asks of the champion.
    scoring : ScoreOptions, optional
        Of score: how the run differs from the spec.

    Raises
    ------
    UserActionRequired
        If the form or an outcome is not what it must be.
    """
    try:
        return Order(
            component=component,
            pipeline=spec,
            upstream={name: _digests(name, outcomes) for name, outcomes in upstream.items()},
            family=family,
            trigger=run.trigger(form),
            options=RunOptions(
                force=bool(form.get("force")),
                window=_window(form.get("window")),
                cooldown=bool(form.get("cooldown")),
            ),
            sweep=sweep,
            requested=requested,
            scoring=scoring,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UserActionRequired(
            f"ORDER {where}: {first['msg']}. Correct the run's form."
        ) from None


def requested_by_form(
    what: Literal["promote", "rollback"], form: Mapping[str, Any], person: str
) -> PersonRequest:
    """What the form of ``everfit.promote`` or ``everfit.rollback`` asks.

    Parameters
    ----------
    form : mapping
        ``version`` (``3`` or ``v3``), ``run`` and ``reason``.
    person : str
        Who Airflow says has started the run.

    Raises
    ------
    UserActionRequired
        If it names no version and no run, or both, or gives no reason.
    """
    version, run = _text(form.get("version")), _text(form.get("run"))
    if bool(version) == bool(run):
        found = "it names both" if version else "it names none"
        must = "a version" if what == "rollback" else "either a version or a run"
        raise _bad_form("version", f"names {must}; {found}")
    number = re.fullmatch(r"[vV]?([1-9][0-9]{0,9})", version, re.ASCII) if version else None
    if version and number is None:
        raise _bad_form("version", f"is a number such as 3 or v3; found {version[:20]!r}")
    reason = _text(form.get("reason"))
    if not reason or len(reason) > LONGEST_REASON:
        raise _bad_form(
            "reason", f"gives a reason of 1 to {LONGEST_REASON} letters; it has {len(reason)}"
        )
    return PersonRequest(
        what=what,
        version=int(number[1]) if number else None,
        run=run,
        reason=reason,
        person=person[:100],
    )


def scoring_by_form(form: Mapping[str, Any], spec: PipelineSpec) -> ScoreOptions | None:
    """What the form of ``<name>.score`` asks; None where it is left as it is.

    Parameters
    ----------
    form : mapping
        ``spans``, ``input``, ``version``, ``as_of`` and ``output``.
    spec : PipelineSpec
        A run gets the credentials of the connections that it names, and of no other.

    Raises
    ------
    UserActionRequired
        If a field is not what it must be, or names another connection.
    """
    names = ("input", "version", "as_of", "output")
    given: dict[str, Any] = {
        name: text for name in names if (text := str(form.get(name) or "").strip())
    }
    if (spans := _number_or_all("spans", form.get("spans"))) is not None:
        given["spans"] = spans
    for name in ("input", "output"):
        place = database_in(given.get(name, ""))
        known = spec.connections_of("score")
        if place is not None and place[0] not in known:
            raise _bad_form(
                name,
                f"names a connection of the spec ({', '.join(known) or 'there is none'}); found "
                f"{place[0]!r}",
            )
    try:
        return ScoreOptions(**given) if given else None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _bad_form(".".join(map(str, first["loc"])), f"is not so: {first['msg']}") from None


def _text(value: Any) -> str:
    return " ".join(str(value if value is not None else "").split())


def _bad_form(field: str, must: str) -> UserActionRequired:
    return UserActionRequired(
        f"ORDER {field}: the form {must}. Start another run with a corrected form."
    )


def _digests(name: Component, outcomes: Sequence[Any]) -> tuple[Digest, ...]:
    found = [Outcome.model_validate(value).result for value in outcomes if value is not None]
    if not found:
        raise UserActionRequired(
            f"ORDER-UPSTREAM {name}: a task needs the outcome of {name}; this run has none. "
            f"Clear {name} with its downstream tasks so that it runs again."
        )
    return tuple(found)


def _window(value: Any) -> int | Literal["all"] | None:
    return _number_or_all("window", value)


def _number_or_all(field: str, value: Any) -> int | Literal["all"] | None:
    text = str(value if value is not None else "").strip()
    if not text:
        return None
    if text == "all":
        return "all"
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise UserActionRequired(
            f"ORDER {field}: a {field.rstrip('s')} is empty, all, or a number of spans from 1; "
            f"found {text[:20]!r}. Correct the run's form."
        )
    return number
