"""What people look at: the operator API, the tenants' usage API and the command line.

Read in this order:

1. `bodies`          what requests may say;  `views`: what answers say
2. `usage`           statements and entries, for whoever may see them
3. `administration`  the operator's verbs, over directory, meter and ledger;  `audits`: verify, reconcile
4. `operator_api`, `tenant_api`   the same over HTTP;  `wiring` builds them
5. `openapi`         describes all of it, and the gateway's operations, to programs
6. `backends`        how the command line reaches Tollgate over HTTP;  `direct`: at its storage, in this process
7. `commands`        the commands;  `main` is their root
"""
