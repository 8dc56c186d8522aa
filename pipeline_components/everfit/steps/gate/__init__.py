"""The judgement: checks, verdict and decision report."""
