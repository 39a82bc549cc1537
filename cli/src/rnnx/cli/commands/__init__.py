"""The commands of ``rnnx``, one a file."""
