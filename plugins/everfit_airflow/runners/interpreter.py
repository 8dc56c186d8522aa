"""The interpreter that components are started with on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from everfit.contracts.errors import UserError
from everfit.contracts.extras import COMPONENTS, extras, is_installed


def component_python(root: Path, environ: Mapping[str, str]) -> Path:
    """The one that ``EVERFIT_PYTHON`` names, that of the repository's ``.venv``, or Airflow's own.

    Parameters
    ----------
    root : Path
        The folder that holds ``dags/``.
    environ : mapping
        The environment of the process that asks.

    Raises
    ------
    UserError
        If it is not there.
    """
    named = environ.get("EVERFIT_PYTHON")
    python = Path(named or root / ".venv" / "bin" / "python")
    if os.access(python, os.X_OK):
        return python
    if not named and extras() and is_installed(COMPONENTS):
        return Path(sys.executable)
    raise UserError(
        "EVERFIT-PYTHON",
        str(python),
        "the components' Python must be there and executable",
        "it is not",
        "Install everfit[components] beside Airflow, or in an environment of its own and name that "
        "one's Python in EVERFIT_PYTHON; in a checkout of Everfit, run make setup",
    )
