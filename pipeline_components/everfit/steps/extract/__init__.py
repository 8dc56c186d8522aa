"""Extract: each arrived span becomes one typed, immutable Parquet table, or a refusal."""
