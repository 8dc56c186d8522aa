"""Batch scoring: the champion's predictions for whole spans, written as a prediction log."""
