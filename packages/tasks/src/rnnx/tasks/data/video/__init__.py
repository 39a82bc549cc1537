"""Sources of videos with a label for each frame."""
