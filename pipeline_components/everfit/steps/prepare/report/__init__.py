"""What prepare adds to the data report."""
