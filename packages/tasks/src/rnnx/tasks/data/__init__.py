"""Sources of examples, a folder a task."""
