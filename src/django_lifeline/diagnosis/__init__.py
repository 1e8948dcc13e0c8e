"""Facts about a loss, and what they mean."""
