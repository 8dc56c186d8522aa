"""Refit: the accepted candidate's settings, fitted on the holdout's rows as well."""
