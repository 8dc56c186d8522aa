"""Backing up and restoring the ledger and the store."""
