"""Takes carriers' pushes into the log: a push is acknowledged once the log has acknowledged every record of it.

`POST /carriers/sf/routes` is SF's route push; `GET /health` and `GET /metrics` are for who watches.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import orjson
import prometheus_client
import uvloop
from aiohttp import web
from confluent_kafka import KafkaError, KafkaException, Producer

from pipeline.carriers import metrics, sf_routes
from pipeline.carriers.serving import LOOPBACK, Place, serve
from pipeline.domain.commands import Report
from pipeline.errors import EngineError, PoisonError
from pipeline.settings import Settings, read_settings
from pipeline.topics import TRACKING_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Message

    from pipeline.domain.commands import ReportShipment

ALL_INTERFACES = "0.0.0.0"  # noqa: S104  with a token, carriers reach it from outside
PUSH_BYTES_MAX = 4 * 1024 * 1024
DELIVERY_SECONDS = 8.0
"""A record that the log has not taken by then failed, and the carrier pushes again. Carriers wait 10 s and more."""
FLUSH_SECONDS = 10.0
POLL_SECONDS = 0.002
"""How often the log's acknowledgements are looked for while some are due."""
TOKEN_HEADER = "X-Holdfast-Token"  # noqa: S105  a name, not a token
TOKEN_PARAMETER = "token"  # noqa: S105
CARRIER = "sf"
METRICS_TYPE = prometheus_client.CONTENT_TYPE_LATEST
_ENCODER = msgspec.json.Encoder()
_ROUTES = {report: metrics.ROUTES.labels(CARRIER, report) for report in Report}


class Delivery:
    """The records of one push that the log has not acknowledged yet."""

    __slots__ = ("done", "error", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self.error = ""
        self.done = asyncio.get_running_loop().create_future()

    def record_ended(self, error: KafkaError | None, _record: Message) -> None:
        """Count one record, as librdkafka's delivery report."""
        if error is not None:
            self.error = self.error or str(error)
        self.waiting -= 1
        if self.waiting == 0 and not self.done.done():
            self.done.set_result(None)


class Gateway:
    """The server's parts: the producer, and the pushes in hand."""

    def __init__(self, settings: Settings) -> None:
        self._token = settings.gateway_token.encode()
        self._producer = Producer(
            {
                "bootstrap.servers": settings.kafka,
                "client.id": f"{settings.deployment}-gateway",
                "enable.idempotence": True,
                "acks": "all",
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 2,
                "delivery.timeout.ms": int(DELIVERY_SECONDS * 1000),
                "error_cb": self._on_error,
                **settings.kafka_config,
            }
        )
        self._fatal = ""
        self._due = asyncio.Event()
        self._open: set[Delivery] = set()

    def app(self) -> web.Application:
        """Build the server."""
        app = web.Application(client_max_size=PUSH_BYTES_MAX)
        app.router.add_post("/carriers/sf/routes", self._take_routes)
        app.router.add_get("/health", self._show_health)
        app.router.add_get("/metrics", _show_metrics)
        return app

    async def run(self) -> None:
        """Serve delivery reports. Raises EngineError when the producer can never produce again."""
        while not self._fatal:
            if not len(self._producer):
                self._due.clear()
                await self._due.wait()
            self._producer.poll(0)
            await asyncio.sleep(POLL_SECONDS)
        message = f"the producer gave up: {self._fatal}"
        raise EngineError(message)

    def close(self) -> int:
        """Wait for what is still on its way. Gives the number of records that nobody acknowledged."""
        return int(self._producer.flush(FLUSH_SECONDS))

    async def _take_routes(self, request: web.Request) -> web.Response:
        if not self._is_allowed(request):
            return _refused(403, "the push carries no token or a wrong one")
        body = await request.read()
        started = time.perf_counter()
        try:
            reports = sf_routes.read_push(body)
        except PoisonError as error:
            return _refused(400, str(error))
        failure = await self._deliver(reports)
        metrics.PUSH_SECONDS.labels(CARRIER).observe(time.perf_counter() - started)
        if failure:
            metrics.PUSHES.labels(CARRIER, "failed").inc()
            return _answer(sf_routes.FAILED, failure)
        metrics.PUSHES.labels(CARRIER, "acknowledged").inc()
        for report in reports:
            _ROUTES[report.report].inc()
        return _answer(sf_routes.ACKNOWLEDGED, "成功")

    async def _deliver(self, reports: Sequence[ReportShipment]) -> str:
        """Produce the reports and wait until the log has them all. Gives what went wrong, or an empty text."""
        delivery = Delivery()
        for report in reports:
            try:
                self._producer.produce(
                    TRACKING_COMMANDS.name,
                    _ENCODER.encode(report),
                    report.fulfilment_id.encode(),
                    on_delivery=delivery.record_ended,
                )
            except BufferError:
                delivery.error = "too many reports wait for the log"
                break
            except KafkaException as error:
                self._on_error(error.args[0])
                delivery.error = str(error)
                break
            delivery.waiting += 1
        if delivery.waiting:
            self._open.add(delivery)
            self._due.set()
            try:
                await delivery.done
            finally:
                self._open.discard(delivery)
        return delivery.error

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal = str(error)
            self._due.set()

    def _is_allowed(self, request: web.Request) -> bool:
        if not self._token:
            return True
        given = request.headers.get(TOKEN_HEADER) or request.query.get(TOKEN_PARAMETER, "")
        return hmac.compare_digest(given.encode(errors="surrogateescape"), self._token)

    async def _show_health(self, _request: web.Request) -> web.Response:
        # The producer's own length counts its events too: an error of a connection is no record that waits.
        health = {"waiting_records": sum(delivery.waiting for delivery in self._open), "fatal": self._fatal}
        return web.Response(
            status=503 if self._fatal else 200, body=orjson.dumps(health), content_type="application/json"
        )


def main(arguments: list[str]) -> int:
    """Run the gateway until it is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m pipeline gateway", description="take carriers' pushes into Kafka")
    parser.add_argument("--ready-file", type=Path, help="is given the URL once it listens")
    options = parser.parse_args(arguments)
    settings = read_settings(os.environ, needs=("kafka",))
    uvloop.run(_run(settings, options.ready_file))
    return 0


async def _run(settings: Settings, ready_file: Path | None) -> None:
    gateway = Gateway(settings)
    place = Place(ALL_INTERFACES if settings.gateway_token else LOOPBACK, settings.gateway_port, ready_file)
    try:
        await serve(gateway.app(), place, [gateway.run()])
    finally:
        gateway.close()


async def _show_metrics(_request: web.Request) -> web.Response:
    return web.Response(body=prometheus_client.generate_latest(), headers={"Content-Type": METRICS_TYPE})


def _answer(code: str, message: str) -> web.Response:
    return web.Response(body=sf_routes.acknowledgement(code, message), content_type="application/json")


def _refused(status: int, message: str) -> web.Response:
    metrics.PUSHES.labels(CARRIER, "refused").inc()
    body = sf_routes.acknowledgement(sf_routes.FAILED, message)
    return web.Response(status=status, body=body, content_type="application/json")
