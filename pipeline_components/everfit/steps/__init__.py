"""The steps of a pipeline, each a package with a ``step.py``."""
