"""Programs that tests need, each in an environment of its own."""
