"""The prediction server: the champion behind HTTP, exchanged when the ledger names another."""
