"""What the rim makes of what no handler was meant to do."""

import logging

import pytest

from proxy.answering import answer
from proxy.messages import GatewayRequest, GatewayResponse
from tests.support.gates import error_of


async def test_a_surprise_is_a_500_and_the_log_hears_what_kind_and_where_and_not_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(request: GatewayRequest) -> GatewayResponse:
        raise ValueError(request.body.decode())

    request = GatewayRequest(id="req-1", method="POST", path="/", query="", body=b"hidden code")
    with caplog.at_level(logging.DEBUG):
        response = await answer(handler, request)

    assert (response.status, error_of(response)["code"]) == (500, "InternalError")
    assert response.headers["Tollgate-Request-Id"] == "req-1"
    assert "call_failed request=req-1 cause=ValueError" in caplog.text
    assert "test_answering.py" in caplog.text
    assert "hidden" not in caplog.text + response.body.decode()
