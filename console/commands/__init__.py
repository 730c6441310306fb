"""The commands: `tenants`, `keys`, `usage`, `report`, `close`, `alerts`, `sessions`, `verify`, `reconcile`, `smoke`.

`reach` gives each of them the options that all share and the way to Tollgate; `show` prints, `report_table` what may be
long. `paging` follows pages, `documents` and `files` write them, `totals` adds them up, `progress` says how far it is.
`terms` has the options of `tenants set`, and `heads` reads the files of `verify --heads`.
"""
