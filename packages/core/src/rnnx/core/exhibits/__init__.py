"""What people see of a model: texts, spans, pictures, trees, states over a text."""
