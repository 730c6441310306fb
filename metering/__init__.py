"""The money: what a tenant's sessions cost, decided exactly and written down once.

Read in this order:

1. `increments`   time -> increments; the only place that knows the granularity
2. `periods`      the UTC calendar month
3. `entries`      the ledger's immutable rows and their hash chain;  `alerts`: thresholds that were reached
4. `rows`         the running sums and paid windows;  `requests`: what the ledger is asked and answers
5. `ledger`       the pure decision: (rows, requests, now) -> (new rows, entries, answers)
6. `store`        what a ledger store promises;  `table_store` keeps it in Table Storage (`row_keys`, `table_rows`),
   beside the alerts (`alert_store`, `table_alerts`, `alert_rows`)
7. `meter`        admit, reverse, end (`admissions`): coverage in memory, group commit, retries;  `watch`: who is told
8. `rates`        what a session hour costs, by day;  `statements`: one tenant's account for one period
9. `closing`      what is closed stays as it is;  `closer` closes it in the ledger
10. `reports`     all tenants' statements, and what the pool costs;  `focus`: as FinOps tools read them;
    `period_reader` reads the rows of many tenants
11. `verify`      what is wrong with a ledger, from its entries, with `windows` and `heads`;  `audit` reads one through
12. `reconcile`   the windows against the pool's own list;  `housekeeping` removes windows that are long over

Nothing here knows HTTP, API keys or the session pool, and nothing here imports `proxy`.
"""
