"""The DAGs of a pipeline: their tasks, schedules, assets and bundles."""
