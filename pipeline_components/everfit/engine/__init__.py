"""Runs steps, and knows none of them."""
