"""What a check of your own is written with: it is shown a candidate, and gives a finding.

::

    from pipeline_components.own_checks import Finding, Shown


    def no_negative_fares(shown: Shown) -> Finding:
        negative = int((shown.candidate < 0).sum())
        if negative:
            return Finding("failed", f"{negative:,} fares are negative.", forces="reject")
        return Finding("passed", "No fare is negative.")

Name it in the spec as ``gate.checks: [my_company.checks.no_negative_fares]``; docs/own_checks.md
says the rest. These three names stay; nothing else of the gate is made to be imported.
"""

from __future__ import annotations

from pipeline_components.gate.evidence import NotAssessed
from pipeline_components.gate.question import Finding
from pipeline_components.gate.shown import Shown

__all__ = ["Finding", "NotAssessed", "Shown"]
