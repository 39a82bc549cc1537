"""Many runs: searches and matrices, and the workers that share them."""
