"""Monitor: drift and decay of the champion on spans it has not seen."""
