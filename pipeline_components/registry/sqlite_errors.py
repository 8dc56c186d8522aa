"""What MLflow's SQLite database or the disk under it complains of, in one line."""

from __future__ import annotations

from pipeline_components.contracts.errors import EverfitError, Unavailable, UserError


def explained(error: Exception, where: str) -> EverfitError:
    """One line for a person."""
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return UserError(
            "REGISTRY-DAMAGED",
            where,
            "MLflow's database must be sound",
            text,
            "Restore it from its backup, or name another with EVERFIT_MLFLOW",
        )
    if isinstance(error, PermissionError) or "readonly" in text or "unable to open" in text:
        return UserError(
            "REGISTRY-RIGHTS",
            where,
            "MLflow's database and artifact folder must be writable",
            text,
            "Correct the rights, or EVERFIT_MLFLOW",
        )
    return Unavailable(
        "REGISTRY-UNAVAILABLE",
        where,
        "MLflow's database and artifact folder must be free to write",
        text,
        "Look for a full disk or another writer, and try again",
    )
