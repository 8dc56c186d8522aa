"""The YAML of a pipeline: its fields, its expressions, and how it is read."""
