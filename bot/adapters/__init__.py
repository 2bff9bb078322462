"""Outside: one thin adapter for each outside system, behind a port."""
