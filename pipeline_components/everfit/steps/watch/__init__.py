"""Watch: names the spans to read, and those the champion is to be evaluated on."""
