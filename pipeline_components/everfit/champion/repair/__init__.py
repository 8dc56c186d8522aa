"""Bring MLflow and the ledger back into agreement, and rebuild what was lost."""
