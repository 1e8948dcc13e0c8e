"""Reproduces every way of losing a connection, on real servers. Nothing imports this package."""
