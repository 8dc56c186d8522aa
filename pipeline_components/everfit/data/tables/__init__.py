"""Tables: Parquet as frames, row digests, and expressions over columns."""
