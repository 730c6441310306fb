"""What people look at: the operator API, the tenants' usage API and the command line.

Read in this order:

1. `bodies`          what requests may say;  `views`: what answers say
2. `usage`           statements and entries, for whoever may see them;  `reports`: all tenants' months, their closing
3. `live`            open sessions, quotes;  `alerts`: who was told what
4. `documents`       all of that in the `formats` that are asked for, as `tables` where they are
5. `administration`  the operator's verbs on tenants and keys;  `books`: those on the ledger, with `adjustments` and
   `audits` (verify, reconcile)
6. `operator_api`, `tenant_api`   the same over HTTP;  `wiring` builds them
7. `openapi`         describes all of it, and the gateway's operations, to programs
8. `backends`        how the command line reaches Tollgate over HTTP;  `direct`: at its storage, in this process
9. `commands`        the commands;  `main` is their root;  `smoke`: a deployment's first call, by `smoke_calls`
10. `dashboard`      a page for tenants and operators, on the same APIs
"""
