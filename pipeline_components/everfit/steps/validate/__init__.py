"""Statistics per span, anomalies, quarantine, and the choice of window and holdout."""
