"""The tenant's sessions as an MCP server: an agent's tools are calls like any other, through the gateway.

In reading order: `server` is the rim (who asks, which pool), known at every start; the rest is loaded with the first
message. `methods` answers the protocol's methods (`protocol` has its shapes and revisions), `tools` says what each tool
does, `arguments` what it takes, `outputs` and `results` how it answers, `calls` how it reaches the gateway.
"""
