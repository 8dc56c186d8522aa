"""``code``: the spec, the components or the environment have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from everfit.contracts.messages.trigger_facts import Evaluated, Facts
from everfit.contracts.spec.triggers.kind import TriggerKind

if TYPE_CHECKING:
    from everfit.contracts.spec.pipeline import PipelineSpec


class Code(TriggerKind):
    """What trains is not what trained the last finished run."""

    kind: Literal["code"] = "code"

    meaning: ClassVar[str] = "spec, components or environment changed since the last finished run"
    signal: ClassVar[str] = "code"

    def in_words(self, spec: PipelineSpec) -> str:  # noqa: ARG002
        """The three things compared."""
        return "the spec, the components or the environment changed since the last finished run"

    def evaluate(self, spec: PipelineSpec, facts: Facts) -> Evaluated:  # noqa: ARG002
        """Fire where a digest differs from the last finished run's, or there is no such run."""
        last = facts.finished[-1] if facts.finished else None
        changed: list[str] = []
        if last is None:
            because = "no run has finished yet"
        else:
            if last.spec != facts.spec and last.run_key not in facts.only_the_window:
                changed.append("the spec")
            if last.code != facts.code:
                changed.append("the components")
            if last.environment != facts.environment:
                changed.append("the environment")
            run = f"since run {last.run_key[:12]}"
            because = (
                f"changed {run}: {', '.join(changed)}"
                if changed
                else f"spec, components and environment are unchanged {run}"
            )
        return Evaluated(
            condition="code: true",
            kind=self.kind,
            looked_at="digests of spec, components and environment, now and in the last "
            "finished run",
            measured=f"{len(changed)} of 3 differ" if last else "no finished run",
            fired=last is None or bool(changed),
            because=because,
        )
