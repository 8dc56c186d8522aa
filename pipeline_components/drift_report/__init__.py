"""Drift report: Evidently's page of the newest span, kept in MLflow."""
