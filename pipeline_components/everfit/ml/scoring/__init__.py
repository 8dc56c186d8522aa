"""Scores of predictions: row losses, metrics, and the uncertainty of both."""
