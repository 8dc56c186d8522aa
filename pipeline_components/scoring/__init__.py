"""What a model's answers are worth: losses of rows, metrics, and how sure one can be of them."""
