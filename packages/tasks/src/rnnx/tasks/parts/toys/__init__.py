"""Made data in which something is to be seen."""
