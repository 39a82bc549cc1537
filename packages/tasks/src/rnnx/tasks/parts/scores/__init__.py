"""Metrics, as the field's own programs count them."""
