"""A repository of one's own: what its data suggests, and the files it begins with."""
