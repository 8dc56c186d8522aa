"""A recorded run as its doors find it: the same orders and results, with what is made again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import ValidationError

from pipeline_components.context import Context
from pipeline_components.contracts.base import Digest, Frozen
from pipeline_components.contracts.dossier import Dossier
from pipeline_components.contracts.errors import UserError
from pipeline_components.contracts.planning import ChampionRef, Trigger
from pipeline_components.contracts.requests import PrepareResult
from pipeline_components.contracts.steps import CHAIN, Component, Order
from pipeline_components.door import Upstream, step
from pipeline_components.identity import spec_digest
from pipeline_components.ledger.records import RunRecord
from pipeline_components.store import Store

Document = TypeVar("Document", bound=Frozen)


class RecordedUpstream(Upstream):
    """The recorded results, with the champion that the run was pinned to.

    The dossier names it, and the signed record of the version names the dossier.
    """

    def __init__(self, order: Order, context: Context, champion: ChampionRef | None) -> None:
        super().__init__(order, context)
        self._champion = champion

    def champion(self, run_key: Digest) -> ChampionRef | None:  # noqa: ARG002
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
        upstream = {
            name: self.dossier.upstream[name]
            for name in CHAIN[component]
            if name in self.dossier.upstream
        }
        if prepared is not None:
            upstream["prepare"] = (prepared,)
        family = self.dossier.request.evaluated.candidate.family if component == "train" else None
        return Order(
            component=component, pipeline=self.dossier.request.spec, upstream=upstream,
            family=family,
        )  # fmt: skip

    def again(self, component: Component, kind: type[Document], order: Order) -> Document:
        """Request and work of a component, as its door has them."""
        scratch = self.context.scratch / component
        scratch.mkdir()
        context = replace(self.context, scratch=scratch)
        door = step(component)
        upstream = RecordedUpstream(order, context, self.dossier.request.champion)
        result = door.run(door.request(order, upstream, context), context)
        assert isinstance(result, kind)
        return result


def run_record(dossier: Dossier) -> RunRecord:
    """The run as its doors find it in a ledger: what it was compared with is pinned."""
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
        "REPRODUCE-CONTRACT", called, "this code must be able to read what was recorded",
        f"{what} has another form", "Reproduce it with its own code: leave out --here",
    )  # fmt: skip
