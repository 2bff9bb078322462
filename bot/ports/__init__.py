"""Needs: the protocols that the core owns and the outer rooms fulfil, a file each."""
