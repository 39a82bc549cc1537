"""Models without a net, a folder a task."""
