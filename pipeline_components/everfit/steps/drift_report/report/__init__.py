"""The drift report as a page."""
