"""A local functions host: an app folder, run through Microsoft's own Python runtime under the real host's HTTP rules.

The Python half (indexing, binding conversion, dispatch) is the library that Azure itself runs. This package re-makes
the other half, and reproduces its traps on purpose: what works here must not fail in Azure.

    __main__.py        arguments, the socket, signals, exit statuses
    configuration.py   host.json and local.settings.json
    worker.py          drives the runtime: loads the app, invokes its functions
    protos.py          the messages that the runtime speaks in
    routes.py          route templates -> one table (pure)
    convert.py         HTTP <-> messages (pure)
    app.py             one HTTP request, straight down (ASGI)
    errors.py          the one error that ends a start
    keys.py            who may call what, when keys are switched on (pure)
    schedule.py        NCRONTAB (pure)
    timers.py          fires timer triggers when they are due
"""
