"""Django's contract for database backends, kept by the pool."""
