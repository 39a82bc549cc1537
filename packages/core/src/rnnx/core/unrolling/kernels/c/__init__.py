"""What is done step by step in C, on a CPU: walks along whole sequences, and groups of operations."""
