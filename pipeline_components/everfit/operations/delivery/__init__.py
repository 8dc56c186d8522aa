"""Delivery of pipelines: what changed, a run on a sample, and what is deployed where."""
