"""A stand-in for a dynamic session pool: the pool's own API on loopback, with real Python behind it.

Each session is one Jupyter kernel in a sandbox of its own. Sessions live as long as this process: they do not
survive a restart of the pool.
"""
