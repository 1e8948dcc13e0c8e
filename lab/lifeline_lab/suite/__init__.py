"""Runs Django's own test suite with the stock engine and with ours, and tells the difference."""
