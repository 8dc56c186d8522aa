"""Score candidate, baseline and champion on the holdout, with intervals, pictures and a card."""
