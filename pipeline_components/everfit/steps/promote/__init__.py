"""Promote: what a person asks of the champion, checked, done and recorded."""
