"""Lineage, metrics and notices."""
