"""Terminal: one file for each command."""
