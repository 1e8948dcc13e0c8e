"""A site that sends mail automatically, and a few ways to pull the database from under it."""
