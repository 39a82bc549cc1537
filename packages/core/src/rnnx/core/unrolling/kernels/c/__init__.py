"""What is done step by step in C, on a CPU: loops along whole sequences, and groups of operations."""
