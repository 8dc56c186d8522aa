"""Tables as they arrive: sources, their listing, and the rows in them."""
