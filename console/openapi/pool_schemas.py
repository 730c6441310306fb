"""The bodies and answers of the session API, in its three dialects, as the pool has them and clients need them.

Sources: the pool's REST specifications (2024-10-02-preview to 2025-10-02-preview) for the flat dialect; Container Apps
documentation, "Serverless code interpreter sessions", and the clients for the others, which have no specification.
What the pool may leave out is optional here; what else it says passes too.

Rules of this file: pure data.
"""

from console.openapi.parts import (
    COUNT,
    FLAG,
    INSTANT,
    TEXT,
    Json,
    content,
    examples,
    listing,
    nullable,
    one_of,
    record,
    said,
)
from console.openapi.parts import schema as component

_CODE = said(TEXT, "What to run.")
_INPUT = one_of(
    ["Inline", "InlineBase64", "InlineText", "inline", "inlineBase64", "inlineText"],
    "How `code` is written; the pool takes it in any case.",
)
_SYNCHRONOUS = ["Synchronous", "synchronous"]
_ASYNCHRONOUS = ["Asynchronous", "asynchronous"]
_SECONDS: Json = {
    "type": "integer",
    "minimum": 1,
    "description": "How long it may run; the pool has a limit of its own, of 220 seconds.",
}
_SINCE_2025_10: Json = {
    "outputStreamsMaxLength": {
        "type": "integer",
        "minimum": 1,
        "description": "Bytes kept of each stream, 4096 if left out; since 2025-10-02-preview.",
    },
    "useEmptyKernel": said(FLAG, "Whether to begin with nothing imported; since 2025-10-02-preview."),
}
_SESSION_IN_BODY = "A session that is named here too, in `identifier` or `sessionId`, has to be that of the query."


def _execution(code: str, kinds: list[str], further: Json | None = None) -> Json:
    fields: Json = {
        code: _CODE,
        "codeInputType": _INPUT,
        "executionType": one_of(kinds),
        "timeoutInSeconds": _SECONDS,
        **(further or {}),
    }
    left_out = [name for name in fields if name != code]
    return record(fields, optional=left_out, description=_SESSION_IN_BODY)


_SHELL = record(
    {"shellCommand": said(TEXT, "What to run, in a shell pool."), "timeoutInSeconds": _SECONDS},
    optional=["timeoutInSeconds"],
    description=_SESSION_IN_BODY,
)


def _wrapped(properties: Json) -> Json:
    return record({"properties": properties})


_RESULT: Json = {"description": "The value of the last expression; an image is an object with `base64_data`."}
_MILLISECONDS = said(COUNT, "How long it ran.")
_NUMBERING = {"$id": TEXT}
_OUTCOME = {
    "status": one_of(["Success", "Failure"]),
    "stdout": TEXT,
    "stderr": said(TEXT, "With the traceback, if the code raised an exception."),
    "result": _RESULT,
    "executionTimeInMilliseconds": _MILLISECONDS,
}
_FILE = {"filename": said(TEXT, "The path below `/mnt/data`."), "size": COUNT, "lastModifiedTime": INSTANT}
_SESSION = {
    "identifier": said(TEXT, "Your name for it."),
    "etag": TEXT,
    "createdAt": INSTANT,
    "lastAccessedAt": INSTANT,
}
_NEXT = nullable(said(TEXT, "Where the next page is; null or left out: this is the last.", format="uri-reference"))
_NAMED = record({"name": TEXT, "version": TEXT})

SCHEMAS: Json = {
    "EnvelopeExecution": _wrapped(
        {"anyOf": [component("EnvelopeCode"), component("ShellCommand")], "description": _SESSION_IN_BODY}
    ),
    "EnvelopeCode": _execution("code", _SYNCHRONOUS),
    "ShellCommand": _SHELL,
    "FlatExecution": {"anyOf": [component("FlatCode"), component("ShellCommand")]},
    "FlatCode": _execution("code", [*_SYNCHRONOUS, *_ASYNCHRONOUS], _SINCE_2025_10),
    "EarlyExecution": _wrapped(component("EarlyCode")),
    "EarlyCode": _execution("pythonCode", _SYNCHRONOUS),
    "Upload": record({"file": {"type": "string", "format": "binary", "description": "The file, with its name."}}),
    "EnvelopeOutcome": _wrapped(record({**_NUMBERING, **_OUTCOME}, optional=_NUMBERING)),
    "EarlyOutcome": record({**_NUMBERING, **_OUTCOME}),
    "FlatOutcome": record(
        {
            "id": said(TEXT, "The id of the execution."),
            "identifier": said(TEXT, "Your name for the session."),
            "executionType": TEXT,
            "status": one_of(["NotStarted", "Running", "Succeeded", "Failed", "Canceled"]),
            "result": record(
                {
                    "stdout": TEXT,
                    "stderr": said(TEXT, "With the traceback, if the code raised an exception."),
                    "executionResult": _RESULT,
                    "executionTimeInMilliseconds": _MILLISECONDS,
                },
                optional=["stdout", "stderr", "executionResult", "executionTimeInMilliseconds"],
            ),
            "error": {},
        },
        optional=["result", "error"],
        description="An execution; while it runs, it has no result.",
    ),
    "EnvelopeFiles": record(
        {
            **_NUMBERING,
            "value": listing(
                record(
                    {**_NUMBERING, "properties": record({**_NUMBERING, **_FILE}, optional=_NUMBERING)},
                    optional=_NUMBERING,
                )
            ),
        },
        optional=_NUMBERING,
    ),
    "EarlyFiles": record(
        {
            **_NUMBERING,
            "$values": listing(record({**_NUMBERING, "filename": TEXT, "size": COUNT, "last_modified_time": INSTANT})),
        }
    ),
    "FlatFile": record(
        {
            "name": TEXT,
            "type": said(TEXT, "`File` or `Directory`, in any case."),
            "contentType": TEXT,
            "sizeInBytes": COUNT,
            "lastModifiedAt": INSTANT,
            "directory": said(TEXT, "The folder below `/mnt/data`; since 2025-10-02-preview."),
        },
        optional=["contentType", "sizeInBytes", "directory"],
    ),
    "FlatFiles": record({"value": listing(component("FlatFile")), "nextLink": _NEXT}, optional=["nextLink"]),
    "Deleted": record({"message": TEXT}),
    "Session": record({**_SESSION, "expireAt": INSTANT}),
    "Sessions": record({"sessions": listing(component("ListedSession")), "nextLink": _NEXT}, optional=["nextLink"]),
    "ListedSession": record({**_SESSION, "expireAt": INSTANT}, optional=[*_SESSION, "expireAt"][1:]),
    "SessionView": record({**_SESSION, "expiresAt": INSTANT}, optional=[*_SESSION, "expiresAt"][1:]),
    "SessionViews": record({"value": listing(component("SessionView")), "count": COUNT, "nextLink": _NEXT}),
    "PoolMetadata": record(
        {
            "runtimes": listing(_NAMED),
            "preInstalledPackages": listing(_NAMED),
            "createdAt": INSTANT,
            "lastUpdatedAt": INSTANT,
            "jupyterKernel": record({"name": TEXT, "version": TEXT, "projectUrl": TEXT, "description": TEXT}),
        },
        optional=["runtimes", "preInstalledPackages", "createdAt", "lastUpdatedAt", "jupyterKernel"],
    ),
}

_INLINE = {"codeInputType": "inline", "executionType": "synchronous"}

# What calls carry, by the name of the operation.
BODIES: Json = {
    "code.execute": content(
        component("EnvelopeExecution"), examples=examples(python={"properties": {**_INLINE, "code": "40 + 2"}})
    ),
    "python.execute": content(
        component("EarlyExecution"), examples=examples(python={"properties": {**_INLINE, "pythonCode": "40 + 2"}})
    ),
    "executions.create": content(
        component("FlatExecution"),
        examples=examples(
            python={**_INLINE, "code": "40 + 2"},
            background={"codeInputType": "inline", "executionType": "asynchronous", "code": "40 + 2"},
        ),
    ),
} | {
    name: content(component("Upload"), "multipart/form-data")
    for name in ("files.upload", "files.create", "python.upload")
}

_EITHER_FILES = {"anyOf": [component("FlatFiles"), component("EnvelopeFiles")]}
_EITHER_FILE = {"anyOf": [component("FlatFile"), component("EnvelopeFiles")]}
_BYTES = content({}, "*/*")

# What a call that went well is answered with, by the name of the operation and by status; None: nothing.
ANSWERS: dict[str, dict[str, Json | None]] = {
    "code.execute": dict.fromkeys(("200", "202"), content(component("EnvelopeOutcome"))),
    "files.upload": {"200": content(component("EnvelopeFiles"))},
    "files.download": {"200": _BYTES},
    "python.execute": dict.fromkeys(("200", "202"), content(component("EarlyOutcome"))),
    "python.upload": {"200": content(component("EarlyFiles"))},
    "python.list": {"200": content(component("EarlyFiles"))},
    "python.download": {"200": _BYTES},
    "executions.create": dict.fromkeys(("200", "202"), content(component("FlatOutcome"))),
    "executions.get": {"200": content(component("FlatOutcome"))},
    "files.list": {"200": content(_EITHER_FILES)},
    "files.create": {"200": content(component("FlatFile"))},
    "files.content": {"200": _BYTES},
    "files.get": {"200": content(_EITHER_FILE)},
    "files.delete": {"200": content(component("Deleted")), "204": None},
    "session.get": {"200": content(component("Session"))},
    "session.delete": {"204": None},
    "sessions.list": {"200": content(component("Sessions"))},
    "sessions.view": {"200": content(component("SessionView"))},
    "sessions.views": {"200": content(component("SessionViews"))},
    "sessions.stop": {"200": content(TEXT, "text/plain")},
    "pool.metadata": {"200": content(component("PoolMetadata"))},
}
