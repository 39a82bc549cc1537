"""Sources of sequences to be remembered."""
