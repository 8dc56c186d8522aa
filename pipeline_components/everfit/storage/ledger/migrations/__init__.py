"""The ledger's schema, step by step. Imported only where a step is missing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from everfit.storage.ledger.schema import REVISIONS, refuse_unknown

if TYPE_CHECKING:
    from sqlalchemy import Connection

VERSION_TABLE = "everfit_ledger_version"
"""Not Alembic's own name, as Airflow or MLflow may live in the same database."""

log = logging.getLogger(__name__)


def upgrade(connection: Connection, where: str, to: str = REVISIONS[-1]) -> None:
    """Apply what is missing, inside the caller's transaction, which must be the only one.

    Raises
    ------
    UserError
        If the schema is newer than the code.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext

    logging.getLogger("alembic").setLevel(logging.WARNING)
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    version = context.get_current_revision()
    if version == to:
        return  # another process was faster
    if version not in REVISIONS:
        refuse_unknown(where, version)
    config = Config()
    config.set_main_option("script_location", "everfit.storage.ledger:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
    log.info("%s: schema %s (was %s)", where, to, version or "empty")
