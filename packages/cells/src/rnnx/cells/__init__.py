"""Recurrent cells: one cell, one file."""
