"""The product on one machine, with no account: what stands in for the world outside."""
