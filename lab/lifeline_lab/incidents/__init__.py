"""Losses made to happen on purpose, to see whether the engine names their causes rightly.

An incident is one real loss: a real server, a real driver, Django with this engine, and something
that goes wrong in a setting drawn by chance. Its truth is known, since we did it; what the engine
said of it is compared with that. ``python -m lifeline_lab.incidents`` runs some hundreds.
"""
