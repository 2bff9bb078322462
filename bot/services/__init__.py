"""Verbs: the use cases that doors and effects call."""
