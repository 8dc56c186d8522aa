"""The decision report."""
