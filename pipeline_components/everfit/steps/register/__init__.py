"""Log the run, register the version, promote the champion: each exactly once."""
