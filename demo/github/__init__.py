"""A stand-in GitHub: REST for all that the bot calls, git over HTTP, signed webhooks, faults."""
