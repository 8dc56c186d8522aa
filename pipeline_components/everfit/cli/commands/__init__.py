"""The commands, a file each: ``run.py`` is ``everfit run``, ``dry_run.py`` would be ``dry-run``."""
