"""Tollgate on a laptop: storage, session pool and functions host as processes on loopback.

`python -m infra.local` starts all three and keeps them together; each also starts alone: `infra.local.storage`
(Azurite), `infra.local.pool` (the session pool's stand-in), `infra.local.host` (the functions host). Nothing here is
deployed, and nothing here imports the application: it is started from outside, as in Azure.
"""
