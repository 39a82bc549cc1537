"""How a whole sequence is read at once: packed, its step recorded, sorted and replayed."""
