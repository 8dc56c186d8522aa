"""The evidence that gate checks assess, and how it is read."""
