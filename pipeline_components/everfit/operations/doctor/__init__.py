"""What works on this machine, what does not, and what to do; needs nothing beyond the base."""

from __future__ import annotations

from everfit.operations.doctor.examine import Examination
from everfit.operations.doctor.finding import Finding, Health

__all__ = ["Examination", "Finding", "Health"]
