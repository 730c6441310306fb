"""Webhooks: which URLs are taken, what is said, how it is proven, and what an answer means."""

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from metering.alerts import Alert, Subject, quota_alert_id
from metering.clock import utc_now
from metering.entries import LedgerKeys, read_instant
from metering.periods import Period
from proxy.capacity import pool_alert_id
from proxy.pool import open_transport
from proxy.webhook_sender import WebhookSender
from proxy.webhook_urls import check_webhook_url
from proxy.webhooks import event, sign, webhook_secret
from tests.running import ROOT
from tests.support.building import KEYS, MORNING, granularity
from tests.support.webhook_receiver import Heard, WebhookReceiver, receiving

NOVEMBER = Period(2026, 11)
ALERT = Alert(
    id=quota_alert_id("acme", NOVEMBER, limit=7, percent=50),
    subject=Subject.QUOTA,
    tenant_id="acme",
    percent=50,
    limit=7,
    used=4,
    at=MORNING,
    period=NOVEMBER,
    entry="2026-11/4",
    next_attempt_at=MORNING,
)
OF_POOL = Alert(
    id=pool_alert_id("shell", 90, MORNING),
    subject=Subject.POOL,
    pool="shell",
    percent=90,
    limit=600,
    used=540,
    at=MORNING,
    next_attempt_at=MORNING,
)
BEFORE_ROTATION = LedgerKeys("k0", {"k0": KEYS.keys["k0"]})
AFTER_ROTATION = LedgerKeys("k1", {"k1": KEYS.keys["k1"]})


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com:8443/hooks/a?key=%20b",
        "https://EXAMPLE.com/",
        "https://[2001:db8::1]/hook",
        "https://xn--bcher-kva.example/",
        "http://127.0.0.1:8080/hook",
        "http://127.8.9.10/",
        "http://localhost:1/",
        "http://[::1]:9/",
    ],
)
def test_a_url_that_can_be_posted_to_is_taken_as_it_is(url: str) -> None:
    assert check_webhook_url(url) == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/hook", "this machine alone"),
        ("http://127.0.0.1.example.com/", "this machine alone"),
        ("http://10.0.0.1/", "this machine alone"),
        ("http://2130706433/", "this machine alone"),
        ("ftp://example.com/", "starts with https"),
        ("example.com/hook", "names a host"),
        ("//example.com/hook", "starts with https"),
        ("", "names a host"),
        ("https://example.com/a b", "no space"),
        ("https://example.com/\n", "no space"),
        ("https://bücher.example/", "no space"),
        ("https://example.com\\@evil.example/", "no user"),
        ("https://user:hunter2@example.com/", "no user"),
        ("https://@example.com/", "no user"),
        ("https://example.com/#", "no fragment"),
        ("https:///hook", "names a host"),
        ("http://localhost\\.example.com/", "this machine alone"),
        ("https://[::1/", "names a host"),
        ("https://example.com:70000/", "names a host"),
        ("https://example.com:x/", "names a host"),
        ("https://example.com:0/", "names a host"),
        ("https://example.com/" + "a" * 2_000, "at most 2000"),
    ],
)
def test_any_other_url_is_refused_in_words_that_do_not_repeat_it(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refusal:
        check_webhook_url(url)

    assert "hunter2" not in str(refusal.value)
    assert "example.com" not in str(refusal.value)


@given(st.text(max_size=80))
def test_no_text_is_more_than_refused(text: str) -> None:
    for url in (text, "https://" + text):
        with contextlib.suppress(ValueError):
            assert check_webhook_url(url) == url


def test_a_quotas_event_says_how_much_is_left() -> None:
    assert json.loads(event(ALERT, granularity())) == {
        "specversion": "1.0",
        "id": "acme:2026-11:quota:7:050",
        "source": "/tollgate/tenants/acme",
        "type": "tollgate.quota.threshold.v1",
        "subject": "quota/2026-11",
        "time": "2026-11-23T09:00:00.000000Z",
        "datacontenttype": "application/json",
        "data": {
            "tenant": "acme",
            "period": "2026-11",
            "percent": 50,
            "quota_minutes": 35,
            "used_minutes": 20,
            "remaining_minutes": 15,
            "entry": "2026-11/4",
        },
    }


def test_minutes_that_are_not_whole_and_a_balance_above_the_quota_are_told_as_they_are() -> None:
    data = json.loads(event(replace(ALERT, used=9), granularity(30)))["data"]

    assert (data["quota_minutes"], data["used_minutes"], data["remaining_minutes"]) == (3.5, 4.5, 0)


def test_a_pools_event_says_how_full_it_is() -> None:
    document = json.loads(event(OF_POOL, granularity()))

    assert document["type"] == "tollgate.pool.capacity.v1"
    assert document["source"] == "/tollgate/pools/shell"
    assert document["data"] == {"pool": "shell", "percent": 90, "max_sessions": 600, "sessions": 540}


@pytest.mark.parametrize("alert", [ALERT, OF_POOL])
def test_an_event_has_what_cloudevents_asks_for(alert: Alert) -> None:
    document = json.loads(event(alert, granularity()))

    assert document["specversion"] == "1.0"
    assert all(document[name] for name in ("id", "source", "type", "subject"))
    assert read_instant(document["time"]).tzinfo is not None
    assert all(name.isalnum() and name.islower() for name in document)


def test_what_is_sent_again_says_the_same() -> None:
    later = replace(ALERT, attempts=3, problem="tenant: HTTP 500", next_attempt_at=MORNING + timedelta(hours=1))

    assert event(later, granularity()) == event(ALERT, granularity())


@pytest.mark.parametrize("alert", [ALERT, OF_POOL])
def test_an_id_has_no_full_stop_with_which_it_could_pass_for_something_else(alert: Alert) -> None:
    assert "." not in alert.id


def signed(body: bytes = b'{"a":1}', *, keys: LedgerKeys = KEYS, tenant: str | None = "acme") -> Heard:
    return Heard("/", sign(body, message_id="m:1", sent_at=utc_now(), keys=keys, tenant_id=tenant), body)


@pytest.mark.parametrize("tenant", ["acme", None])
def test_the_package_that_receivers_use_verifies_the_signature(tenant: str | None) -> None:
    assert signed(tenant=tenant).proven_by(webhook_secret(KEYS, tenant)) == {"a": 1}


def test_the_signature_is_the_one_that_the_package_makes() -> None:
    at = datetime(2026, 11, 23, 9, 0, 0, 999_999, tzinfo=UTC)
    headers = sign(b"{}", message_id="m:1", sent_at=at, keys=AFTER_ROTATION, tenant_id="acme")

    expected = Webhook(webhook_secret(AFTER_ROTATION, "acme")).sign("m:1", at, "{}")
    assert headers == {"webhook-id": "m:1", "webhook-timestamp": "1795424400", "webhook-signature": expected}


@pytest.mark.parametrize("owner", ["acm", "acme2", "operator", None])
def test_nobody_elses_secret_verifies_it(owner: str | None) -> None:
    with pytest.raises(WebhookVerificationError):
        signed().proven_by(webhook_secret(KEYS, owner))


@pytest.mark.parametrize(
    "changed",
    [
        {"body": b'{"a":2}'},
        {"headers": {**signed().headers, "webhook-id": "m:2"}},
        {"headers": {**signed().headers, "webhook-timestamp": str(int(utc_now().timestamp()) - 60)}},
    ],
)
def test_what_was_changed_on_the_way_is_not_verified(changed: dict[str, Any]) -> None:
    with pytest.raises(WebhookVerificationError):
        replace(signed(), **changed).proven_by(webhook_secret(KEYS, "acme"))


@pytest.mark.parametrize("known", [BEFORE_ROTATION, AFTER_ROTATION])
def test_while_keys_are_rotated_the_earlier_secret_and_the_new_one_both_verify(known: LedgerKeys) -> None:
    message = signed(keys=KEYS)

    assert message.headers["webhook-signature"].count("v1,") == 2
    assert message.proven_by(webhook_secret(known, "acme")) == {"a": 1}


def test_the_current_keys_signature_comes_first() -> None:
    keys = LedgerKeys("k1", dict(sorted(KEYS.keys.items())))  # the current one last
    first, second = signed(keys=keys).headers["webhook-signature"].split()

    assert first == signed(keys=AFTER_ROTATION).headers["webhook-signature"]
    assert second == signed(keys=BEFORE_ROTATION).headers["webhook-signature"]


def test_a_secret_says_nothing_of_the_key_that_it_comes_from() -> None:
    secret = webhook_secret(KEYS, "acme")

    assert secret.startswith("whsec_")
    assert len(secret) == len("whsec_") + 44  # 32 bytes
    assert secret != webhook_secret(BEFORE_ROTATION, "acme")


PAGE = (ROOT / "docs/alerts.md").read_text()
BLOCKS = [(language, text) for language, text in re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]


def test_the_event_in_the_documentation_is_one_that_is_sent() -> None:
    at = datetime(2026, 11, 23, 9, 5, 1, 123_456, tzinfo=UTC)
    keys = LedgerKeys("k1", {"k1": b"example-key-that-is-long-enough-for-a-ledger"})
    name = quota_alert_id("acme", NOVEMBER, limit=600, percent=90)
    alert = replace(ALERT, id=name, percent=90, limit=600, used=540, at=at, entry="2026-11/542")
    body = event(alert, granularity())

    [document] = [json.loads(text) for language, text in BLOCKS if language == "json"]
    assert document == json.loads(body)
    for name, value in sign(body, message_id=alert.id, sent_at=at, keys=keys, tenant_id="acme").items():
        assert f"\n{name}: {value}\n" in PAGE
    assert f"`{webhook_secret(keys, 'acme')}`" in PAGE


@pytest.mark.parametrize("code", [text for language, text in BLOCKS if language == "python"])
def test_the_code_in_the_documentation_verifies_messages_and_nothing_else(code: str) -> None:
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 -- what readers are told to run
    heard, message, secret = names["heard"], signed(), webhook_secret(BEFORE_ROTATION, "acme")
    old = sign(message.body, message_id="m:1", sent_at=utc_now() - timedelta(hours=1), keys=KEYS, tenant_id="acme")

    assert heard(secret, message.headers, message.body) == {"a": 1}
    for headers, body in ((message.headers, b'{"a":2}'), (old, message.body)):
        with pytest.raises((ValueError, WebhookVerificationError)):
            heard(secret, headers, body)


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with receiving() as receiver:
        yield receiver


async def send(url: str, *, timeout_seconds: float = 5, body: bytes = b'{"a":1}') -> str | None:
    transport = open_transport()
    sender = WebhookSender(transport=transport, keys=KEYS, clock=utc_now, timeout_seconds=timeout_seconds)
    try:
        return await sender.send(url, body, message_id="m:1", tenant_id="acme")
    finally:
        await transport.aclose()


async def test_a_message_arrives_as_it_was_signed(receiver: WebhookReceiver) -> None:
    assert await send(receiver.url("/hook?key=s")) is None

    [message] = receiver.heard
    assert message.body == b'{"a":1}'
    assert message.headers["content-type"] == "application/cloudevents+json"
    assert message.proven_by(webhook_secret(KEYS, "acme")) == {"a": 1}


@pytest.mark.parametrize("status", [200, 201, 204, 299])
async def test_any_status_of_success_says_that_it_was_heard(receiver: WebhookReceiver, status: int) -> None:
    receiver.script.append(status)

    assert await send(receiver.url()) is None


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 429, 500, 503])
async def test_any_other_status_is_a_failure_and_a_redirect_is_not_followed(
    receiver: WebhookReceiver, status: int
) -> None:
    receiver.script.append(status)

    assert await send(receiver.url()) == f"HTTP {status}"
    assert [message.path for message in receiver.heard] == ["/hook"]


async def test_a_receiver_that_hangs_is_left(receiver: WebhookReceiver) -> None:
    receiver.hanging = 1

    assert await send(receiver.url(), timeout_seconds=0.2) == "no answer in 0.2 s"


async def test_an_answer_without_end_is_not_read() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n" + b"x" * 4096)
        await writer.drain()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        assert await send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/") is None


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 nonsense\r\n\r\n"])
async def test_a_connection_that_breaks_is_no_answer(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        problem = await send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    assert problem == "no answer: the connection broke"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/hook?key=hunter2", "https://nowhere.invalid/", "https://a..b/"])
async def test_where_nobody_listens_nobody_is_reached(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert await send(url) == "cannot be reached"

    assert "hunter2" not in caplog.text
