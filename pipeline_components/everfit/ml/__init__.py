"""Models and numbers: families, scores, profiles and the evaluation budget."""
