"""Deliberately broken products, each by one plausible mistake, and the promise that each must be caught breaking.

They show that the promises bite, and that the calls drawn are such that it matters.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from metering.requests import Admit, Quota
from proxy.answers import Names, PoolAnswer, translate
from proxy.calls import Call
from proxy.errors import ErrorCode, GatewayError
from proxy.gateway import Gateway
from proxy.identifiers import SessionQuery, read_query
from proxy.messages import GatewayRequest, GatewayResponse
from proxy.operations import Operation
from proxy.session_lists import SessionLists
from tests.isolation.world import Product


def _nothing(*_: Any) -> None:
    """Check nothing."""


def _body_as_it_came(body: bytes, *_: Any) -> bytes:
    return body


def _first_of_two(raw: str, operation: Operation) -> SessionQuery:
    """Take the first identifier, and let others go on."""
    parts = [part for part in raw.split("&") if part]
    named = [part for part in parts if part.startswith("identifier=")]
    query = read_query("&".join(part for part in parts if part not in named[1:]), operation)
    return replace(query, others=(*query.others, *(("identifier", part) for part in named[1:])))


def _identifier_of_the_name_alone(secret: bytes, _tenant: str, _pool: str, name: str) -> str:
    return f"pool-{hmac.digest(secret, name.encode(), 'sha256').hex()}"


def _same_in_all_pools(secret: bytes, tenant: str, _pool: str, name: str) -> str:
    return f"{tenant}-{hmac.digest(secret, f'{tenant}\0{name}'.encode(), 'sha256').hex()}"


def _answer_as_it_came(answer: PoolAnswer, names: Names, operation: Operation) -> GatewayResponse:
    response = translate(answer, names, operation)
    return response if answer.status >= 300 else replace(response, body=answer.body)


def _errors_as_they_came(answer: PoolAnswer, names: Names, operation: Operation) -> GatewayResponse:
    response = translate(answer, names, operation)
    return response if answer.status < 400 else replace(response, body=answer.body)


def _every_header(headers: Mapping[str, str]) -> dict[str, str]:
    own = {"content-length", "host", "authorization", "transfer-encoding"}
    return {
        name: value for name, value in headers.items() if name not in own and value.isascii() and value.isprintable()
    }


def _all_headers_back(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.title(): "".join(filter(str.isascii, value)) for name, value in headers}


class _Everybody(dict[str, str]):
    """Holds any session, by the pool's name for it."""

    def __contains__(self, _: object) -> bool:
        return True

    def __missing__(self, key: str) -> str:
        return key


class _ListsEverybody(SessionLists):
    """Lists whatever the pool lists."""

    async def _names(self, call: Call) -> dict[str, str]:
        return _Everybody()


class _LetsSurprisesThrough(Gateway):
    """Does not expect that the pool's answer may make no sense."""

    def _translate(self, call: Call, answer: PoolAnswer, extra: dict[str, str]) -> GatewayResponse:
        return translate(answer, call.names, call.operation)


class _ChargesRefusals(Gateway):
    """Charges first, and looks at the call then."""

    async def handle(self, request: GatewayRequest) -> GatewayResponse:
        """Charge the call that is refused."""
        try:
            return await super().handle(request)
        except GatewayError as refusal:
            if refusal.code is ErrorCode.VALIDATION_FAILED:
                charged = Admit(pool_identifier="p", session_name="s", operation="o", request_id="r", quota=Quota())
                await self._meter.admit("acme", charged)
            raise


def _replacing(**functions: Any) -> Product:
    return Product(replaced={f"proxy.{name.replace('__', '.')}": function for name, function in functions.items()})


VARIANTS: Mapping[str, tuple[str, Product]] = MappingProxyType(
    {
        "the name stays in the body": ("own session", _replacing(identifiers__rewrite_body=_body_as_it_came)),
        "a session may be named twice": (
            "own session",
            _replacing(identifiers__read_query=_first_of_two, identifiers__refuse_second_identifier=_nothing),
        ),
        "a second session may hide": ("own session", _replacing(identifiers__refuse_second_identifier=_nothing)),
        "the HMAC is of the name alone": (
            "own session",
            _replacing(identifiers__pool_identifier=_identifier_of_the_name_alone),
        ),
        "sessions of two pools are one": ("own session", _replacing(identifiers__pool_identifier=_same_in_all_pools)),
        "dot segments pass": ("own place", _replacing(operations__refuse_climbing=_nothing)),
        "file names may climb": ("own place", _replacing(uploads__refuse_climbing=_nothing)),
        "containers' callers may manage the pool": ("own place", _replacing(operations___may_manage=_nothing)),
        "every header goes to the pool": ("own token", _replacing(headers__to_pool=_every_header)),
        "every header goes to the container": ("own token", _replacing(headers__to_container=_every_header)),
        "answers are not translated": ("no inner words", _replacing(answers__translate=_answer_as_it_came)),
        "refusals are not told again": ("no inner words", _replacing(answers__translate=_errors_as_they_came)),
        "every header comes back": ("no inner words", _replacing(headers__to_tenant=_all_headers_back)),
        "the address is replaced as it is set only": (
            "no inner words",
            _replacing(
                addresses__replace=lambda text, endpoint, origin: text.replace(endpoint.encode(), origin.encode())
            ),
        ),
        "lists name everybody's sessions": ("only own sessions", Product(lists=_ListsEverybody)),
        "senseless answers are surprises": ("sound", Product(gateway=_LetsSurprisesThrough)),
        "what is refused is charged": ("free at the door", Product(gateway=_ChargesRefusals)),
    }
)
"""By name: the promise that is broken, and the broken product."""
