"""What a model did, drawn."""
