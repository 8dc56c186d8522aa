"""Looks at holdouts: what each may spend of a year's budget, and what it can tell."""
