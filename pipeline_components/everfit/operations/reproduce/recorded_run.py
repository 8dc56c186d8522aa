"""A recorded run as its steps find it: the same orders and results, with what is made again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import ValidationError

from everfit.contracts.base import Digest, Frozen
from everfit.contracts.errors import UserError
from everfit.contracts.messages.chain import training_tasks
from everfit.contracts.messages.dossier import Dossier
from everfit.contracts.messages.planning import ChampionRef, Trigger
from everfit.contracts.messages.requests import PrepareResult
from everfit.contracts.messages.steps import Component, Order
from everfit.engine.context import Context
from everfit.engine.fingerprints import spec_digest
from everfit.engine.step import RequestT, ResultT, Step
from everfit.engine.upstream import Upstream
from everfit.storage.ledger.records import RunRecord
from everfit.storage.store import Store

Document = TypeVar("Document", bound=Frozen)


class RecordedUpstream(Upstream):
    """The recorded results, with the champion that the run was pinned to.

    The dossier names it, and the signed record of the version names the dossier.
    """

    recorded = True

    def __init__(self, order: Order, context: Context, champion: ChampionRef | None) -> None:
        super().__init__(order, context)
        self._champion = champion

    def champion(self, _run_key: Digest, /) -> ChampionRef | None:
        """The same for every run key: there is only one run."""
        return self._champion


@dataclass(frozen=True)
class Rebuild:
    """One version being rebuilt.

    Attributes
    ----------
    called : str
        What to call the version in messages: ``fare v3``.
    """

    dossier: Dossier
    called: str
    real: Store
    context: Context
    """With a fresh store and a ledger of its own."""

    @property
    def recorded(self) -> PrepareResult:
        """What prepare made."""
        return self.dossier.request.prepared

    def document(self, component: Component, kind: type[Document]) -> Document:
        """The recorded result of a component."""
        (digest, *_) = self.dossier.upstream[component]
        try:
            return kind.model_validate_json(self.real.get(digest))
        except ValidationError as error:
            raise unreadable(self.called, f"the result of {component}") from error

    def order(self, component: Component, prepared: Digest | None = None) -> Order:
        """The order the run had, with the recorded results but for what is made again."""
        spec, winner = self.dossier.request.spec, self.dossier.request.evaluated.candidate.family
        (task,) = (
            one
            for one in training_tasks(spec)
            if one.component == component and one.family in (None, winner)
        )
        recorded = self.dossier.upstream
        upstream = {name: recorded[name] for name in task.upstream if name in recorded}
        if prepared is not None:
            upstream["prepare"] = (prepared,)
        return Order(component=task.component, pipeline=spec, upstream=upstream, family=task.family)

    def again(self, step: Step[RequestT, ResultT], order: Order) -> ResultT:
        """Request and run a step again; nothing is recorded."""
        scratch = self.context.scratch / step.name
        scratch.mkdir()
        context = replace(self.context, scratch=scratch)
        upstream = RecordedUpstream(order, context, self.dossier.request.champion)
        return step.run(step.request(order, upstream, context), context)


def run_record(dossier: Dossier) -> RunRecord:
    """The run as its steps find it in a ledger: what it was compared with is pinned."""
    request = dossier.request
    return RunRecord(
        run_key=request.run_key,
        spec=spec_digest(request.spec),
        window=tuple(span.digest for span in request.window),
        holdout=tuple(span.digest for span in request.holdout),
        code=request.code,
        environment=request.environment,
        seed=request.spec.train.seed,
        champion=request.champion,
        trigger=Trigger(reason="reproduced"),
    )


def unreadable(called: str, what: str) -> UserError:
    """A recorded document of another Everfit."""
    return UserError(
        "REPRODUCE-CONTRACT",
        called,
        "this code must be able to read what was recorded",
        f"{what} has another form",
        "Reproduce it with its own code: leave out --here",
    )
