"""The request path, and who may take it.

`gateway` carries one call straight down: authenticate (`tenants`, `directory`, which stands on `knowledge` and
`table_tenants`; `call_rates`) -> choose the pool (`pools`) and match the operation (`operations`) -> understand it
(`calls`, with `identifiers`, `file_paths`, `uploads`, `early_routes`, `headers`) -> admit (`metering.meter`) -> forward
(`pool`) -> reverse if it did not run -> translate the answer back (`answers`).

Beside it stand what needs no admission: `session_lists` (over `pool_sessions`), `identity_endpoint`, `health`. The
package `mcp` offers all of it to agents.

It works on the neutral values of `messages`; refusals are the closed table in `errors`, and `answering` turns them
into responses. `telemetry` tells of it all, and `watched_pool` of the pool's calls. Only `bootstrap` wires, only
`settings` reads the environment (`setting_values` says what may stand there). Nothing here knows Azure Functions.
"""
