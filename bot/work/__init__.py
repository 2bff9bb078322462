"""Hands: what claims, carries out and settles."""
