"""The bot, assembled: adapters, services, hands and doors introduced to one another.

The other half of the composition root: ``app.py`` has the sandbox and the command line.
"""
