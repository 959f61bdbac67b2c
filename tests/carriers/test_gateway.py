"""The gateway without a broker: who may push, what it refuses; it acknowledges nothing that the log has not."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from confluent_kafka import KafkaError

from pipeline.carriers.gateway import PUSH_BYTES_MAX, Gateway
from pipeline.errors import EngineError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

NOWHERE = Settings(kafka="127.0.0.1:1", kafka_config={"delivery.timeout.ms": "300", "log_level": "0"})
GUARDED = Settings(kafka="127.0.0.1:1", kafka_config=NOWHERE.kafka_config, gateway_token="sesame")  # noqa: S106  a test's
ROUTES = "/carriers/sf/routes"
ROUTE = {"mailno": "SF1", "orderid": "o-1", "acceptTime": "2026-11-11 00:00:01", "opCode": "50", "id": "1"}
PUSH = orjson.dumps({"Body": {"WaybillRoute": [ROUTE] * 3}})
EMPTY_PUSH = b'{"Body":{"WaybillRoute":[]}}'

Client = TestClient[Any, Any]


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[tuple[Gateway, Client]]:
    gateway = Gateway(settings)
    running = asyncio.create_task(gateway.run())
    try:
        async with TestClient(TestServer(gateway.app())) as client:
            yield gateway, client
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        gateway.close()


def ask(settings: Settings, asking: Callable[[Client], Awaitable[Any]]) -> Any:  # noqa: ANN401  what it answers
    async def run() -> Any:  # noqa: ANN401
        async with serving(settings) as (_, client):
            return await asking(client)

    return asyncio.run(run())


async def push(client: Client, body: bytes, **given: Any) -> tuple[int, dict[str, str]]:  # noqa: ANN401  aiohttp's
    async with client.post(ROUTES, data=body, **given) as response:
        return response.status, await response.json()


def test_a_push_that_the_log_does_not_take_is_not_acknowledged() -> None:
    status, answer = ask(NOWHERE, lambda client: push(client, PUSH))
    assert (status, answer["return_code"]) == (HTTPStatus.OK, "1000")
    assert "timed out" in answer["return_msg"]


def test_a_push_without_routes_is_acknowledged() -> None:
    assert ask(NOWHERE, lambda client: push(client, EMPTY_PUSH)) == (
        HTTPStatus.OK,
        {"return_code": "0000", "return_msg": "成功"},
    )


def test_more_than_the_queue_holds_is_not_acknowledged() -> None:
    full = Settings(kafka="127.0.0.1:1", kafka_config={**NOWHERE.kafka_config, "queue.buffering.max.messages": "2"})
    _, answer = ask(full, lambda client: push(client, PUSH))
    assert answer == {"return_code": "1000", "return_msg": "too many reports wait for the log"}


def test_a_malformed_push_is_told_its_field() -> None:
    body = orjson.dumps({"Body": {"WaybillRoute": [ROUTE, {**ROUTE, "orderid": None}]}})
    status, answer = ask(NOWHERE, lambda client: push(client, body))
    assert (status, answer["return_code"]) == (HTTPStatus.BAD_REQUEST, "1000")
    assert answer["return_msg"].startswith("Body.WaybillRoute[1].orderid: Expected `str`")


def test_a_push_that_is_too_large_is_refused() -> None:
    async def asking(client: Client) -> int:
        async with client.post(ROUTES, data=io.BytesIO(b" " * (PUSH_BYTES_MAX + 1))) as response:
            return response.status

    assert ask(NOWHERE, asking) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, HTTPStatus.FORBIDDEN),
        ({"params": {"token": "simsim"}}, HTTPStatus.FORBIDDEN),
        ({"params": {"token": "密"}}, HTTPStatus.FORBIDDEN),
        ({"headers": {"X-Holdfast-Token": "sesam"}}, HTTPStatus.FORBIDDEN),
        ({"headers": {"X-Holdfast-Token": "sesame"}}, HTTPStatus.OK),
        ({"params": {"token": "sesame"}}, HTTPStatus.OK),
    ],
)
def test_a_guarded_gateway_takes_pushes_with_its_token_only(given: dict[str, Any], status: int) -> None:
    assert ask(GUARDED, lambda client: push(client, EMPTY_PUSH, **given))[0] == status


def test_health_and_metrics_need_no_token() -> None:
    async def asking(client: Client) -> tuple[dict[str, Any], str]:
        await push(client, EMPTY_PUSH, params={"token": "sesame"})
        async with client.get("/health") as health, client.get("/metrics") as metrics:
            return await health.json(), await metrics.text()

    health, metrics = ask(GUARDED, asking)
    assert health == {"waiting_records": 0, "fatal": ""}
    assert 'holdfast_gateway_pushes_total{carrier="sf",outcome="acknowledged"}' in metrics


def test_a_producer_that_can_never_produce_again_ends_the_gateway() -> None:
    async def failing() -> None:
        gateway = Gateway(NOWHERE)
        running = asyncio.create_task(gateway.run())
        async with TestClient(TestServer(gateway.app())) as client:
            gateway._on_error(KafkaError(KafkaError._FATAL, "fenced", True))  # noqa: SLF001, FBT003  as librdkafka does
            async with client.get("/health") as health:
                assert health.status == HTTPStatus.SERVICE_UNAVAILABLE
        with pytest.raises(EngineError, match=r"the producer gave up: .*fenced"):
            await running

    asyncio.run(failing())
