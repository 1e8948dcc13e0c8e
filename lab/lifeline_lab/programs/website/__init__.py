"""The web site of the lab's programs."""
