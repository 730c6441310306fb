"""What Tollgate costs: `python -m benchmarks`.

One call takes six ways to an answer, in interleaved rounds, so that what a noisy machine does to one way it does to
all; the storage operations of calls are counted on the wire; bursts of one tenant's new sessions are charged, beside
the naive way of doing so. A month's report is made over many tenants, and statements are drawn up of tenants with few
entries and with a million. `docs/benchmarks.md` says how to read the figures.

    __main__.py     arguments, signals, exit statuses
    bench.py        one run, straight down: start, count, measure in rounds, stop
    deployment.py   the processes that are measured, on loopback
    wire.py         the call, and how messages are told apart on a connection
    upstream.py     a process: the trivial pool at the end of every way
    load.py         a process: calls over HTTP, in a closed loop
    in_process.py   a process: the gateway without a host, or its HTTP client alone, in a closed loop
    telemetry.py    the SDK of one of these gateways: all that Azure has but the network
    workers.py      how the last two are told what to measure, and the loop they share
    contention.py   bursts of charges for one tenant, by the meter and by one transaction each
    tap.py          passes the storage's traffic on and notes each operation
    figures.py      samples -> medians, ratios, added latency, the storage's verdict (pure)
    report.py       figures -> tables or JSON

    reports.py      the second part alone: `python -m benchmarks.reports`
    months.py       one run over a month, straight down: seed, read, report, state
    seeding.py      tenants with their months, and a tenant's entries, into an Azurite
    generated.py    a ledger with any number of entries, made up as they are read
    statements.py   how long a statement takes, whatever the entries
    launch.py       a process: runs a program, and says what time and memory it took
    targets.py      what reports and statements have to hold (pure)
"""
