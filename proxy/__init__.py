"""The request path, and who may take it.

`gateway` carries one call straight down: authenticate (`tenants`, `directory`, which stands on `knowledge` and
`table_tenants`) -> match the operation (`operations`) -> read the session name and turn it into the pool identifier
(`identifiers`) -> admit (`metering.meter`) -> forward (`pool`, `headers`) -> reverse if it did not run -> translate
the answer back (`answers`).

It works on the neutral values of `messages`; refusals are the closed table in `errors`, and `answering` turns them
into responses. Only `bootstrap` wires, only `settings` reads the environment. Nothing here knows Azure Functions.
"""
