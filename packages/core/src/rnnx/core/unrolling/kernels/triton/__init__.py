"""What is done step by step as a Triton kernel, on a GPU: a walk along whole sequences in one launch."""
