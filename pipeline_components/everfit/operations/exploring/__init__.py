"""A table as a data scientist first sees it, on one page; nothing of it is kept."""
