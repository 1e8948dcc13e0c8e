"""Reproduces every way of losing a connection, on real servers. No site imports it."""
