"""What earlier steps of a run have found, as the order of a later one names it."""

from __future__ import annotations

from typing import TypeVar

from everfit.contracts.base import Digest, Frozen
from everfit.contracts.errors import RequestError
from everfit.contracts.messages.planning import ChampionRef, PlanResult
from everfit.contracts.messages.steps import Component, Order
from everfit.engine.context import Context

DocumentT = TypeVar("DocumentT", bound=Frozen)


class Upstream:
    """Typed access to the results an order names."""

    recorded = False
    """Whether the champion comes from a signed record, and needs no verification of its own."""

    def __init__(self, order: Order, context: Context) -> None:
        self._order, self._context = order, context

    def has(self, component: Component) -> bool:
        """Whether the order names results of a component."""
        return bool(self._order.upstream.get(component))

    def all(self, component: Component, kind: type[DocumentT]) -> tuple[DocumentT, ...]:
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

    def one(self, component: Component, kind: type[DocumentT]) -> DocumentT:
        """The only result of a component."""
        return self.all(component, kind)[0]

    def champion(self, run_key: Digest, /) -> ChampionRef | None:
        """What a run is compared with: pinned when the run was opened, else as planned.

        A rerun is compared with what the run was compared with, whoever is champion by now. It is
        not verified yet: steps ask ``champion.current.pinned_champion``.
        """
        run = self._context.ledger.run(run_key)
        return run.champion if run else self.one("plan", PlanResult).champion
