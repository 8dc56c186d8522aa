"""The contract of a step: an order becomes a request, a request becomes a result.

``everfit/steps/<name>/step.py`` defines one class, named after the component: ``drift_report`` is
``DriftReport(Step[DriftReportRequest, DriftReportResult])``. ``load_step`` finds it by that name;
``engine/execute.py`` runs it.

A step that has no use for an argument puts an underscore before its name: arguments are passed by
position.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from everfit.contracts.base import Frozen
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.planning import Signal
from everfit.contracts.messages.steps import Component, News, Order
from everfit.contracts.messages.summaries import Summary
from everfit.engine.context import Context
from everfit.engine.upstream import Upstream

RequestT = TypeVar("RequestT", bound=Frozen)
ResultT = TypeVar("ResultT", bound=Frozen)


@dataclass(frozen=True)
class StepReport:
    """What people are shown of a result."""

    summary: Summary
    reports: dict[str, Artifact] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    signals: tuple[Signal, ...] = ()
    news: tuple[News, ...] = ()
    """What people may want to hear; sent only where ``Step.is_news`` says so."""


class Step(ABC, Generic[RequestT, ResultT]):
    """One step of a chain; it has no state.

    Attributes
    ----------
    name : Component
        The component, as orders name it.
    result_type : type
        What a published result is parsed as.
    cached : bool
        Whether a result found under the content key is used. Not for a step that reads or changes
        the world beside its request, such as plan, extract and register.
    """

    name: ClassVar[Component]
    result_type: type[ResultT]
    cached: ClassVar[bool]

    @abstractmethod
    def request(self, order: Order, upstream: Upstream, context: Context, /) -> RequestT:
        """Resolve an order into a complete request; reads, never writes.

        Raises
        ------
        NothingToDo
            If there is no work.
        RequestError
            If the order does not fit.
        """

    @abstractmethod
    def run(self, request: RequestT, context: Context, /) -> ResultT:
        """Do the work: the result is a function of the request."""

    @abstractmethod
    def record(self, request: RequestT, result: ResultT, context: Context, order: Order, /) -> None:
        """Record the result in the ledger. It is idempotent, and made on cache hits too.

        Raises
        ------
        NothingToDo
            If the steps after this one have no work.
        """

    @abstractmethod
    def report(self, result: ResultT, context: Context, /) -> StepReport:
        """Summarise the result for people."""

    def is_news(
        self, _request: RequestT, _result: ResultT, _context: Context, cached: bool, /
    ) -> bool:
        """Whether people have not heard of this result yet; asked before ``record``.

        Parameters
        ----------
        cached : bool
            Whether the result was found and no work was done. Unless a step knows better, only
            new work is news.
        """
        return not cached


def load_step(component: Component) -> Step[Frozen, Frozen]:
    """The step of a component, imported only now.

    Examples
    --------
    >>> load_step("drift_report").result_type.__name__
    'DriftReportResult'

    Raises
    ------
    TypeError
        If its module does not define the class that the name asks for.
    """
    module = importlib.import_module(f"everfit.steps.{component}.step")
    wanted = "".join(word.capitalize() for word in component.split("_"))
    found: object = vars(module).get(wanted)
    if not (isinstance(found, type) and issubclass(found, Step) and found.name == component):
        raise TypeError(f"{module.__name__} must define class {wanted}(Step) of name {component}")
    return found()
