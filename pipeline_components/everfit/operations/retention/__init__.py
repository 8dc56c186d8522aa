"""What may be deleted: nothing that a version, the history, or a cache in use needs."""
