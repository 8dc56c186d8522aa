"""What MLflow's client complains of, in one line."""

from __future__ import annotations

from everfit.contracts.errors import CredentialsError, EverfitError, RequestError, Unavailable


def explained(error: Exception, where: str) -> EverfitError:
    """One line for a person."""
    status = _status(error)
    if status in (401, 403):
        return CredentialsError(
            "REGISTRY-CREDENTIALS",
            where,
            "MLflow must accept the user's name and password",
            "it refused them" if status == 401 else "the user may not do this",
            "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        )
    if "out-of-date database schema" in str(error):
        return RequestError(
            "REGISTRY-SCHEMA",
            where,
            "MLflow's database must fit its version",
            "its schema is older or newer",
            "Back it up, then run `mlflow db upgrade` on it, or use the MLflow it was made by",
        )
    if isinstance(error, ImportError) or type(error).__name__ == "NoSuchModuleError":
        return RequestError(
            "REGISTRY-DRIVER",
            where,
            "the database's driver must be installed",
            str(error).splitlines()[0][:200],
            "Install it where the components run",
        )
    if "authentication failed" in str(error):
        return CredentialsError(
            "REGISTRY-CREDENTIALS",
            where,
            "MLflow's database must accept the user's name and password",
            "it refused them",
            "Correct EVERFIT_MLFLOW",
        )
    lines = str(error).strip().splitlines()
    found = f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
    if "failed with exception" in found or "Max retries exceeded" in found:
        found = "it did not answer"
    refused = error_code(error) in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST") and status == 400
    if refused and not raced(error):
        return RequestError(
            "REGISTRY-REFUSED",
            where,
            "MLflow must accept what is logged",
            found,
            "Compare its version with the one this environment has",
        )
    return Unavailable(
        "REGISTRY-UNAVAILABLE",
        where,
        "MLflow must answer",
        found,
        "Start it, or correct EVERFIT_MLFLOW, and try again",
    )


def raced(error: Exception) -> bool:
    """Whether another process was at the same row in the same moment: MLflow calls it our fault.

    It wrote the row first, or deleted the run as a twin of its own.
    """
    text = str(error)
    marks = ("duplicate key", "UNIQUE constraint failed", "must be in the 'active' state")
    return any(mark in text for mark in marks)


def error_code(error: Exception) -> str:
    """What MLflow calls it; empty where it is not MLflow's."""
    return str(getattr(error, "error_code", ""))


def _status(error: Exception) -> int | None:
    """The HTTP status behind an error, from MLflow's own exceptions or the HTTP client's."""
    asked = getattr(error, "get_http_status_code", None)
    if asked is not None:
        return int(asked())
    return getattr(getattr(error, "response", None), "status_code", None)
