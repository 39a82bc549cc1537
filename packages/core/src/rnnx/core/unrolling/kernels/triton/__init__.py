"""What is done step by step as a Triton kernel, on a GPU: a loop along whole sequences in one launch."""
