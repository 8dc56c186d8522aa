"""The ledger's tables as they are today; ``migrations`` leads there, and a test compares.

A unique constraint on every table but evaluations is what makes its records first-wins.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
