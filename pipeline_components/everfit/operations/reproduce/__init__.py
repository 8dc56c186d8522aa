"""Rebuild a registered version from its dossier, and say how far the rebuilt one is the same."""
