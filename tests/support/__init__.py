"""What several tests stand on: builders, and the parts of the world that can be simulated faithfully in memory."""
