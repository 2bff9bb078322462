"""Doors: webhooks, health, pages."""
