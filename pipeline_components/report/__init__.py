"""The look of every page and picture Everfit makes."""
