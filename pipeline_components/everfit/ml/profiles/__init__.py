"""Statistics of spans: gathered in one pass, cached, and merged over windows."""
