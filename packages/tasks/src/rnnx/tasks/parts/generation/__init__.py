"""Words one after the other: beam search, sampling, and how good they are."""
