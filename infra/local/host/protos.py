"""The messages that the runtime speaks in, as plain classes.

Rules of this file: the runtime reads this module as its injected `protos`, so class and field names are those of the
functions RPC contract. An unknown keyword raises: a newer runtime that fills a new field must fail loudly, not silently
lose it. The classes are slotted but not frozen, since three of them are made for every request and freezing is paid for
in each constructor.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

# Some fields are named after builtin types, which hides these inside the class.
type Octets = bytes
type Whole = int


@dataclass(slots=True, kw_only=True)
class RpcException:
    """What an app raised, as text."""

    message: str = ""
    stack_trace: str = ""
    source: str = ""


@dataclass(slots=True, kw_only=True)
class StatusResult:
    """Whether a request to the runtime succeeded."""

    Failure: ClassVar[int] = 0
    Success: ClassVar[int] = 1

    status: int
    exception: RpcException = field(default_factory=RpcException)


@dataclass(slots=True, kw_only=True)
class WorkerMetadata:
    """What the runtime says about itself."""

    runtime_name: str
    runtime_version: str
    worker_version: str
    worker_bitness: str
    custom_properties: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class WorkerInitResponse:
    """The answer to the first request: the app is loaded and indexed, or not."""

    result: StatusResult
    capabilities: dict[str, str] = field(default_factory=dict)
    worker_metadata: WorkerMetadata | None = None


@dataclass(slots=True, kw_only=True)
class BindingInfo:
    """One binding of a function; the constants are the wire's, compared with the SDK's integers."""

    out: ClassVar[int] = 1
    inout: ClassVar[int] = 2
    undefined: ClassVar[int] = 0

    type: str
    data_type: Any = None
    direction: Any = None


@dataclass(slots=True, kw_only=True)
class RpcRetryOptions:
    """A function's retry decorator."""

    max_retry_count: int
    retry_strategy: str
    delay_interval: timedelta | None = None
    minimum_interval: timedelta | None = None
    maximum_interval: timedelta | None = None


@dataclass(slots=True, kw_only=True)
class RpcFunctionMetadata:
    """One indexed function; `raw_bindings` are JSON texts."""

    name: str
    function_id: str
    directory: str
    script_file: str
    entry_point: str
    language: str
    managed_dependency_enabled: bool
    is_proxy: bool
    bindings: dict[str, BindingInfo]
    raw_bindings: list[str]
    retry_options: RpcRetryOptions | None
    properties: dict[str, str]


@dataclass(slots=True, kw_only=True)
class FunctionMetadataResponse:
    """The indexed functions; None where the app folder holds no app."""

    use_default_metadata_indexing: bool
    function_metadata_results: list[RpcFunctionMetadata] | None
    result: StatusResult


@dataclass(slots=True, kw_only=True)
class FunctionLoadResponse:
    """The answer to loading one function."""

    function_id: str
    result: StatusResult


@dataclass(slots=True, kw_only=True)
class NullableString:
    """A text that may be absent from its message."""

    value: str


@dataclass(slots=True, kw_only=True)
class NullableBool:
    """A truth value that may be absent from its message."""

    value: bool


@dataclass(slots=True, kw_only=True)
class NullableDouble:
    """A number that may be absent from its message."""

    value: float


@dataclass(slots=True, kw_only=True)
class Timestamp:
    """An instant in whole seconds since the epoch. Without this class the runtime would look for protobuf's."""

    seconds: int


@dataclass(slots=True, kw_only=True)
class NullableTimestamp:
    """An instant that may be absent from its message."""

    value: Timestamp


class SameSite:
    """The values of a cookie's SameSite; one is literally named None, and read by that name."""

    Lax = 1
    Strict = 2
    ExplicitNone = 3


setattr(SameSite, "None", 0)


@dataclass(slots=True, kw_only=True)
class RpcHttpCookie:
    """One cookie of an answer."""

    SameSite: ClassVar[type[SameSite]] = SameSite

    name: str
    value: str
    domain: NullableString | None = None
    path: NullableString | None = None
    expires: NullableTimestamp | None = None
    secure: NullableBool | None = None
    http_only: NullableBool | None = None
    same_site: int = 0
    max_age: NullableDouble | None = None


@dataclass(slots=True, kw_only=True)
class TypedData:
    """A value with its type: the one field that is not None. With none set it means "no value".

    It must not have an attribute named `TypedData`: the runtime's decoder probes for it.
    """

    http: "RpcHttp | None" = None
    bytes: Octets | None = None
    string: str | None = None
    json: str | None = None
    int: Whole | None = None
    double: float | None = None

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 -- the contract's name
        """Return the name of the field that is set."""
        for name in ("bytes", "http", "string", "json", "int", "double"):
            if getattr(self, name) is not None:
                return name
        return None


@dataclass(slots=True, kw_only=True)
class RpcHttp:
    """An HTTP request (first row of fields) or an answer (the others); `headers` and `body` belong to both."""

    method: str = ""
    url: str = ""
    params: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)

    headers: dict[str, str]
    body: TypedData | None

    status_code: str = ""
    cookies: list[RpcHttpCookie] | None = None
    enable_content_negotiation: bool = False


@dataclass(slots=True, kw_only=True)
class ParameterBinding:
    """The value of one parameter of a function."""

    name: str
    data: TypedData | None

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 -- the contract's name
        """Return the name of the field that is set; shared memory, the other one, is gone since Python 3.13."""
        return "data"


@dataclass(slots=True, kw_only=True)
class InvocationResponse:
    """What a function returned, or how it failed."""

    invocation_id: str
    result: StatusResult
    return_value: TypedData | None = None
    output_data: list[ParameterBinding] = field(default_factory=list)
