"""Faults on purpose: a copy of a pipeline, killed, refused and raced at every outward act."""
