"""One family: search, fit, and a model in canonical bytes."""
