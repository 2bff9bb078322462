"""Where untrusted code runs: fulfils ``bot.ports.sandbox`` with boxes on a container engine."""
