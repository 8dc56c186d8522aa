"""The API for checks of your own: a function from a candidate to one finding or several.

>>> from everfit.checks import Candidate, Finding
>>> def no_negative_fares(candidate: Candidate) -> Finding:
...     negative = int((candidate.predictions < 0).sum())
...     if negative:
...         return Finding("failed", f"{negative:,} fares are negative.", forces="reject")
...     return Finding("passed", "No fare is negative.")

Name it in the spec as ``gate.checks: [my_company.checks.no_negative_fares]``;
docs/how-to/own_checks.md has the rest. These three names are stable; nothing else of the gate is
meant to be imported.
"""

from __future__ import annotations

from everfit.steps.gate.evidence.candidate import Candidate
from everfit.steps.gate.finding import Finding, NotAssessed

__all__ = ["Candidate", "Finding", "NotAssessed"]
