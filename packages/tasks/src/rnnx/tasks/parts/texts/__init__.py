"""Texts as numbers and back, and the annotations that stand in them."""
