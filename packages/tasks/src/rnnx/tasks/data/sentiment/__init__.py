"""Sources of texts and trees with a label."""
