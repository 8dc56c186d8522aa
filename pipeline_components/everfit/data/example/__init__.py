"""Data to try Everfit on: made, not downloaded."""
