"""A model for other programs: a folder with its card, ONNX, the hub."""
