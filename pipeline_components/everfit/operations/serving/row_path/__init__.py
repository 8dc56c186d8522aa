"""A verified model as a function of single rows, without a table, to the same bits."""
