"""Replay: history once more, through another policy, so that thresholds are chosen, not guessed."""
