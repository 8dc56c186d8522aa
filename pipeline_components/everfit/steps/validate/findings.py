"""Collecting the anomalies of one span, with the pipeline's say on what is ignored or unused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from everfit.contracts.messages.anomalies import ANOMALIES
from everfit.contracts.messages.requests import Anomaly
from everfit.contracts.spec.expression import columns_of
from everfit.contracts.spec.pipeline import PipelineSpec

Severity = Literal["error", "warning", "info"]
RANK: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


class Findings:
    """The anomalies of one span, as they are found.

    Parameters
    ----------
    span : str
        The span's name.
    spec : PipelineSpec, optional
        ``validation.ignore`` turns errors of a code (``CODE``), or of a code in one column
        (``CODE:column``), into information. Errors in columns nobody uses become warnings. Without
        a spec all stay what they are.
    """

    def __init__(self, span: str, spec: PipelineSpec | None = None) -> None:
        self._span = span
        self._ignored: frozenset[str] = frozenset(spec.validation.ignore if spec else ())
        self._unused = frozenset(spec.features.drop) - named_columns(spec) if spec else frozenset()
        self._found: dict[tuple[str, str | None], Anomaly] = {}

    def add(
        self,
        code: str,
        severity: Severity,
        message: str,
        column: str | None = None,
        declared: bool = False,
    ) -> None:
        """Note an anomaly; of one code and column the gravest is kept, the first among equals.

        ``declared`` marks what a person wrote down, so that it counts in unused columns too.
        """
        assert code in ANOMALIES, code
        if severity == "error" and column in self._unused and not declared:
            severity, message = "warning", f"{message} (a warning only: the column is dropped)"
        if {code, f"{code}:{column}"} & self._ignored and severity != "info":
            severity, message = "info", f"{message} (ignored by validation.ignore)"
        known = self._found.get((code, column))
        if known is None or RANK[severity] < RANK[known.severity]:
            self._found[code, column] = Anomaly(
                code=code, severity=severity, span=self._span, column=column, message=message
            )

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """The gravest first."""
        return tuple(
            sorted(self._found.values(), key=lambda a: (RANK[a.severity], a.code, a.column or ""))
        )

    @property
    def errors(self) -> frozenset[str]:
        """Codes that quarantine the span."""
        return frozenset(a.code for a in self._found.values() if a.severity == "error")


def named_columns(spec: PipelineSpec) -> frozenset[str]:
    """Source columns a pipeline cannot do without: it names them outside ``features.drop``."""
    named = set(spec.target_columns) if spec.target.expression else {spec.target.name}
    named.update(spec.entity)
    named.update(spec.key)
    if spec.time is not None:
        named.add(spec.time)
    if spec.weight is not None:
        named |= columns_of(spec.weight)
    for some in spec.slices:
        named |= columns_of(some.where)
    named.update(item.by for item in spec.gate.fairness)
    for text in spec.features.derive.values():
        named |= columns_of(text)
    return frozenset(named - set(spec.features.derive))


def some_of(names: Iterable[str], most: int = 5) -> str:
    """A few quoted names, then how many more."""
    names = list(names)
    text = ", ".join(repr(name) for name in names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most} more"
