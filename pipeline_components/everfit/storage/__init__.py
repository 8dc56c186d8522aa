"""The only way to disk, S3, SQL and the model registry."""
