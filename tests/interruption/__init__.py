"""Exceptions at every bytecode-level step of the engine, and the laws that must hold after each."""
