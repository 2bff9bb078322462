"""Rules: what should happen. Pure functions from facts to a decision, a rule family a file."""
