"""What plan knows before it decides: the source, the ledger, and what became of earlier runs."""
