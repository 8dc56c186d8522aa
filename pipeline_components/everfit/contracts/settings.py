"""Where things are on this machine: read from ``EVERFIT_*``, never from a spec."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from everfit.contracts.base import Frozen
from everfit.contracts.errors import UserError


class Settings(Frozen):
    """Places and addresses. The same spec runs under any of them."""

    root: Path
    """The checkout, or the folder that holds ``dags/``."""
    home: Path
    """Everything Everfit writes by default: ``EVERFIT_HOME`` (``<root>/.everfit``)."""
    pipelines: Path
    """The folder of specs: ``EVERFIT_PIPELINES`` (``<root>/dags/pipelines``)."""
    data: Path | str
    """What ``{data}`` in a source stands for: ``EVERFIT_DATA`` (``<root>/data``); a string where
    it is in ``s3://``."""
    store: str
    """``EVERFIT_STORE``: ``file://``, ``s3://`` or ``memory://``."""
    ledger: str
    """``EVERFIT_LEDGER``: a SQLAlchemy URL; may hold a password, so it is never shown."""
    mlflow: str
    """``EVERFIT_MLFLOW`` or ``MLFLOW_TRACKING_URI``: an MLflow tracking and registry URI."""
    mlflow_page: str | None
    """``EVERFIT_MLFLOW_PAGE``: the address a browser reaches MLflow at, for links."""
    allowed_hosts: str = ""
    """``EVERFIT_ALLOWED_HOSTS``: hosts, addresses and networks that an https source may reach
    although they are not public, also by plain http."""
    cpu_hour_price: str = ""
    """``EVERFIT_CPU_HOUR_PRICE``: a number and a currency (``contracts/price.py``)."""
    signing_key: str = Field("", repr=False)
    """``EVERFIT_SIGNING_KEY``: PEM or a path; empty: ``signing.key`` in the home. A secret."""
    verify_key: str = Field("", repr=False)
    """``EVERFIT_VERIFY_KEY``: public keys whose signatures count too."""

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, start: str | Path | None = None
    ) -> Settings:
        """Read the environment; every path comes out absolute.

        Parameters
        ----------
        environ : mapping, optional
            ``os.environ`` where left out.
        start : str or Path, optional
            Where the search for the root begins if ``EVERFIT_ROOT`` is not set; the folder that
            the process works in where left out.

        Raises
        ------
        UserError
            If the ledger or MLflow's database would be at a path with a question mark.
        """
        env = os.environ if environ is None else environ
        found = env.get("EVERFIT_ROOT") or find_root(Path(start or Path.cwd()))
        root = Path(found).resolve()
        home = Path(env.get("EVERFIT_HOME") or root / ".everfit").resolve()
        data = env.get("EVERFIT_DATA") or ""
        mlflow = env.get("EVERFIT_MLFLOW") or env.get("MLFLOW_TRACKING_URI")
        if "?" in str(home) and not (env.get("EVERFIT_LEDGER") and mlflow):
            raise UserError(
                "HOME",
                "EVERFIT_HOME" if env.get("EVERFIT_HOME") else str(root),
                "the path of the folder that Everfit writes to holds no ?, where the address of a "
                "database would end",
                f"it is {str(home)!r}",
                "Set EVERFIT_HOME to another folder",
            )
        page = mlflow if mlflow and mlflow.startswith(("http://", "https://")) else None
        return cls(
            root=root,
            home=home,
            pipelines=Path(env.get("EVERFIT_PIPELINES") or root / "dags" / "pipelines").resolve(),
            data=data if data.startswith("s3://") else Path(data or root / "data").resolve(),
            store=env.get("EVERFIT_STORE") or (home / "store").as_uri(),
            ledger=env.get("EVERFIT_LEDGER") or f"sqlite:///{home / 'ledger.db'}",
            mlflow=mlflow or f"sqlite:///{home / 'mlflow.db'}",
            mlflow_page=env.get("EVERFIT_MLFLOW_PAGE") or page,
            allowed_hosts=env.get("EVERFIT_ALLOWED_HOSTS") or "",
            cpu_hour_price=env.get("EVERFIT_CPU_HOUR_PRICE") or "",
            signing_key=env.get("EVERFIT_SIGNING_KEY") or "",
            verify_key=env.get("EVERFIT_VERIFY_KEY") or "",
        )


def find_root(start: Path) -> Path:
    """The nearest folder at or above ``start`` that holds ``dags/pipelines``, else ``start``."""
    for folder in (start, *start.parents):
        if (folder / "dags" / "pipelines").is_dir():
            return folder
    return start
