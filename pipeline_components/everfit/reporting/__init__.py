"""How every page and picture of Everfit looks."""
