"""Language models without a net."""
