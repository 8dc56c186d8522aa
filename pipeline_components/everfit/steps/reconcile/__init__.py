"""Reconcile: MLflow and the store held to the ledger, for one pipeline."""
