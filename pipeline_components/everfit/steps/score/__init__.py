"""Batch scoring: predictions of whole spans by one version, published once."""
