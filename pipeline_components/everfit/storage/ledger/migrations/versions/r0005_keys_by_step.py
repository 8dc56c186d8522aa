"""A mark and no change of tables: from here on a key holds only the code that can change its value.

Run keys, content keys and module names of before mean other code. ``schema.FIRST`` refuses them.
"""

from __future__ import annotations

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Only the version is written; there is no way back, as a ledger only grows."""
