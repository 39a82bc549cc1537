"""Runs side by side: records, scores over seeds, tests of differences."""
