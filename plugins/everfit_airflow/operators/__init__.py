"""The tasks: they start a component and take in what it answers."""
