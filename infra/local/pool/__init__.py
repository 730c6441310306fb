"""A stand-in for a dynamic session pool: the pool's own API on loopback, with real code behind it.

One process serves one pool of one kind: Python, JavaScript and shell commands run in sandboxes, a pool of custom
containers runs a program of the operator's own. Sessions live as long as this process: they do not survive a restart
of the pool.

In reading order: `app` (routes and the checks that all calls share), `serve_executions`, `serve_files`,
`serve_sessions`, `serve_containers`; `sessions` and what is in one: `executions` on a kernel (`jupyter`, `piped`) taken
from `warm`, or a container (`containers`), all of them processes (`ground`) in a `sandbox`; `kinds` puts a pool
together, `server` runs it. The programs `session_*` run inside.
"""
