"""What serving by the streaming extension would cost a call: `python -m benchmarks.streaming`.

Azure's worker library runs the same small app in several ways, each in a worker process of its own that is driven as
the platform drives it: invocations come over gRPC, and for the streaming extension the request itself comes over HTTP
at the same time. The load generator stands for the platform's host, so the figures are the worker's alone. A bare ASGI
app is the floor. The extension is no part of Tollgate: the command makes an environment for it in
`.tools/streaming-python` and goes on in there. `docs/benchmarks.md` says how to read the figures,
`docs/adr/0008-chunked-uploads.md` what they were for.

    __main__.py         makes the environment, and becomes the run
    options.py          what the command line says
    run.py              the run: signals, exit statuses
    bench.py            straight down: warm up, watch memory, upload in chunks, measure in rounds
    deployment.py       the processes that are measured, on loopback
    apps.py             the app, written for each way
    calls.py            calls: a message, an HTTP request, or both at the same time
    host.py             the host's end of the workers' streams of messages
    messages.py         what goes over these streams: protobuf messages
    worker.py           a process: Azure's library behind such a stream
    floor.py            a process: the app by itself
    figures.py          samples -> medians and ratios (pure)
    report.py           figures -> tables or JSON
    requirements.in     what the environment holds; the `.txt` beside it pins it
"""
