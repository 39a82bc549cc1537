"""Tasks: one task, one file."""
