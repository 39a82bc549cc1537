"""What components say of themselves, read without importing them: options, documentation, aims."""
