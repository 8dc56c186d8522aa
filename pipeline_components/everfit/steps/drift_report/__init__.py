"""Evidently's report of the newest span, logged to MLflow with ours; it decides nothing."""
