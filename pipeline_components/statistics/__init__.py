"""What is remembered of a span: profiled in one pass, cached, and merged over windows."""
