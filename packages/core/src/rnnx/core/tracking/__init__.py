"""Where the metrics of a run go, and what Weights & Biases has of it."""
