"""Sources of images with captions."""
