"""Sources of sentences with named entities."""
