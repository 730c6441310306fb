"""Real clients, unmodified, each in an environment of its own, against the local stack."""
