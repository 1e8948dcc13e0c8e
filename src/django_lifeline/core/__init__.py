"""The healing engine. Nothing in here imports Django."""
