"""The contracts of rnnx, and what runs them."""
