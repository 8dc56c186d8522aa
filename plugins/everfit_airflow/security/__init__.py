"""Credentials, signing keys, and the environment a component is given."""
