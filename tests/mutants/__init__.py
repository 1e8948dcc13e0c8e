"""Faults put into the engine on purpose: each must be noticed by a test."""
