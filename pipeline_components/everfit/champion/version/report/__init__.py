"""The model card of a run that was judged."""
