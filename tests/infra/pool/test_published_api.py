"""Every operation of the published OpenAPI documents is answered as they say, by every kind of pool that runs code.

Where the documents and what has been seen of the service disagree, the stand-in does as the service. Each such place
is named in this file, with its reason.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.infra.pool.published import FILES, FOLDER, Document, Operation
from tests.infra.pool.support import Pool, new_name, running_pool

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the published documents are not here; name them: TOLLGATE_OPENAPI"),
]

DOCUMENTS = [Document(version) for version in FILES]
OPERATIONS = [operation for document in DOCUMENTS if FOLDER.is_dir() for operation in document.operations()]
EACH_OPERATION = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=lambda operation: f"{operation.document.version}-{operation.name}"
)
CODE = {"python": "print('out')\n6 * 7", "node": "console.log('out'); 6 * 7", "shell": "echo out"}

# Answers of executions declare this header, and the service sends it with errors.
ONLY_WITH_ERRORS = "x-ms-error-code"
# The first document says 202. Those that follow say 200, which is also what the service answers a synchronous call.
FIRST_STATUS_OF_EXECUTIONS = {"2024-10-02-preview": {202: 200}}
# The examples that belong to the later documents answer an asynchronous call with 202.
ASYNCHRONOUS_STATUS = 202
# Errors of the service carry an id for its support besides what the documents describe.
TRACE = ".error.traceId is not described"
# Shell commands come with the tutorials and are refused under versions before this one.
FIRST_WITH_SHELL = "2025-02-02-preview"
# The documents do not know them: their status is the exit code.
EXIT_CODE = ".status is none of ['NotStarted', 'Running', 'Succeeded', 'Failed', 'Canceled']: '0'"


@pytest.fixture(scope="module", params=["python", "node", "shell"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of the pool."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def pool(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A pool of each kind; its `Operation-Location` is absolute, as the documents want it."""
    with running_pool(tmp_path_factory.mktemp(kind), kind=kind, operation_location="absolute") as running:
        yield running


@pytest.fixture(scope="module")
def used(pool: Pool, kind: str) -> dict[str, Any]:
    """A session with a file, a folder and an execution in it, and what calls on it name."""
    session = new_name()
    for path in ("/mnt/data", "/mnt/data/folder"):
        pool.upload("notes.txt", b"text", session, path=path)
    body = execution(kind, {"code": CODE[kind]})
    done = pool.call("POST", "/executions", session, json=body).json()
    return {"identifier": session, "executionId": done["id"], "name": "notes.txt", "recursive": "true", "kind": kind}


def execution(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """Name the code as this kind of pool wants it."""
    return {"shellCommand" if kind == "shell" and name == "code" else name: value for name, value in body.items()}


def send(pool: Pool, operation: Operation, values: dict[str, Any], *, without: str = "") -> httpx.Response:
    """Send the operation with all parameters that the document requires, but for one to be left out."""
    known = {"api-version": operation.document.version, "skip": "0"} | values
    query = {name: known[name] for name in operation.parameters("query", required=True) if name != without}
    path = operation.path.format_map({name: known[name] for name in operation.parameters("path")})
    options: dict[str, Any] = {}
    if operation.parameters("body"):
        fields = {"codeInputType": "Inline", "executionType": values.get("executionType", "Synchronous")}
        body = {**fields, "code": CODE[values["kind"]], "timeoutInSeconds": 60}
        (schema,) = (parameter["schema"] for parameter in operation.parameters("body").values())
        assert list(operation.document.problems(body, schema)) == []
        options["json"] = execution(values["kind"], body)
    if operation.parameters("formData"):
        assert list(operation.parameters("formData")) == ["file"]
        options["files"] = {"file": ("notes.txt", b"text")}
    return pool.http.request(operation.method, path, params=query, **options)


def check(answer: httpx.Response, operation: Operation, described: dict[str, Any], allowed: set[str]) -> None:
    """Check headers and body against the description of an answer."""
    for name, header in described.get("headers", {}).items():
        if name == ONLY_WITH_ERRORS and answer.status_code < 400:
            assert name not in answer.headers
            continue
        assert list(operation.document.problems(answer.headers[name], header)) == []
    schema = described.get("schema")
    if schema is None:
        assert answer.content == b""
    elif schema == {"type": "file"}:
        assert answer.headers["content-type"] == operation.described["produces"][0]
        assert answer.content == b"text"
    else:
        assert answer.headers["content-type"] == "application/json"
        assert set(operation.document.problems(answer.json(), schema)) <= allowed


@EACH_OPERATION
def test_an_operation_is_answered_as_described(
    pool: Pool, kind: str, used: dict[str, Any], operation: Operation
) -> None:
    values = used
    if operation.method == "DELETE":  # on a session that nobody misses
        values = used | {"identifier": new_name()}
        pool.upload("notes.txt", b"text", values["identifier"])
    answer = send(pool, operation, values)
    documented = {
        int(status): described for status, described in operation.described["responses"].items() if status.isdigit()
    }
    if operation.name == "CodeExecution_Execute":
        renamed = FIRST_STATUS_OF_EXECUTIONS.get(operation.document.version, {})
        documented = {renamed.get(status, status): described for status, described in documented.items()}
    if kind == "shell" and operation.document.version < FIRST_WITH_SHELL and operation.name == "CodeExecution_Execute":
        assert answer.status_code == 400
        check(answer, operation, operation.described["responses"]["default"], {TRACE})
        return
    assert answer.status_code in documented, answer.text
    check(answer, operation, documented[answer.status_code], {EXIT_CODE} if kind == "shell" else set())


@EACH_OPERATION
def test_what_is_not_in_the_document_is_refused_as_described(
    pool: Pool, used: dict[str, Any], operation: Operation
) -> None:
    errors = [
        send(pool, operation, used, without="api-version"),
        send(pool, operation, used | {"api-version": "2099-01-01"}),
    ]
    if "identifier" in operation.parameters("query"):
        errors += [send(pool, operation, used, without="identifier"), send(pool, operation, used | {"identifier": ""})]
    if operation.parameters("path"):
        absent = new_name()
        errors.append(send(pool, operation, used | {"name": absent, "executionId": absent}))
        assert errors[-1].status_code == 404
    if operation.path == "/session":
        errors.append(send(pool, operation, used | {"identifier": new_name()}))
        assert errors[-1].json()["error"]["code"] == "SessionWithIdentifierNotFound"
    for answer in errors:
        assert 400 <= answer.status_code < 500
        check(answer, operation, operation.described["responses"]["default"], {TRACE})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.version)
def test_an_asynchronous_execution_is_described_from_its_beginning_to_its_end(
    pool: Pool, kind: str, used: dict[str, Any], document: Document
) -> None:
    operations = {operation.name: operation for operation in document.operations()}
    execute, read = operations["CodeExecution_Execute"], operations["CodeExecution_Get"]
    begun = send(pool, execute, used | {"executionType": "Asynchronous"})
    if kind == "shell" and document.version < FIRST_WITH_SHELL:
        assert begun.status_code == 400
        return
    assert begun.status_code == ASYNCHRONOUS_STATUS
    (described,) = (answer for status, answer in execute.described["responses"].items() if status.isdigit())
    check(begun, execute, described, set())
    while (found := send(pool, read, used | {"executionId": begun.json()["id"]})).json()["status"] == "Running":
        pass
    check(found, read, read.described["responses"]["200"], {EXIT_CODE} if kind == "shell" else set())
    located = pool.http.get(begun.headers["operation-location"])
    assert located.json() == found.json()


def test_what_the_service_takes_beyond_the_documents_is_taken(pool: Pool, kind: str, used: dict[str, Any]) -> None:
    # The newest document requires `recursive`; the service answers without it.
    assert pool.call("GET", "/files", used["identifier"]).status_code == 200
    # All documents require the time-out and spell the types with capitals; clients do neither.
    body = {"codeInputType": "inline", "executionType": "synchronous", "code": CODE[kind]}
    assert pool.call("POST", "/executions", used["identifier"], json=execution(kind, body)).status_code == 200


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({"error": {"code": "c", "message": "m"}}, []),
        ({"error": {"code": 1}}, [".error.message is missing", ".error.code is no string: 1"]),
        (
            {"error": {"code": "c", "message": "m", "details": [{}]}, "more": 1},
            [
                ".more is not described",
                ".error.details[0].code is missing",
                ".error.details[0].message is missing",
            ],
        ),
        ([], ["the body is no object: []"]),
    ],
)
def test_the_check_finds_what_departs_from_a_schema(body: Any, problems: list[str]) -> None:
    schema = {"$ref": "#/definitions/Azure.Core.Foundations.ErrorResponse"}
    assert list(DOCUMENTS[0].problems(body, schema)) == problems
