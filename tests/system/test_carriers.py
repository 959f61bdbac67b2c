"""The way of a report: sandbox, push, gateway, log; with a real broker, and with the gateway killed on the way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiokafka.partitioner import murmur2
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.carriers.caller import connect
from pipeline.domain.commands import Answer, CallCarrier, CallKind, Report, ReportShipment
from pipeline.domain.orders import ShipTo, SkuUnits
from pipeline.services.process import Server, free_port, is_alive, kill, launch, stop, wait_until
from pipeline.settings import ROOT, Settings
from pipeline.topics import TRACKING_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from confluent_kafka import Message

    from pipeline.services.process import Running

pytestmark = pytest.mark.system
COMMAND = (sys.executable, "-c", "import sys; from pipeline.cli import main; sys.exit(main(sys.argv[1:]))")
TOKEN = "sesame"  # noqa: S105  a test's
ORDERS = 200
STEPS = 4
DEADLINE_SECONDS = 60.0
SHIP_TO = ShipTo(name="张三", phone="138", province="广东省", city="深圳市", district="南山区", address_detail="一号")
DECODE = msgspec.json.Decoder(ReportShipment).decode


class Carrier:
    """A sandbox that reports to a gateway, each a process, and what the log got of it."""

    def __init__(self, directory: Path, kafka: str) -> None:
        self.directory = directory
        self.kafka = kafka
        self.port = free_port()
        self.push_url = f"http://127.0.0.1:{self.port}/carriers/sf/routes?token={TOKEN}"
        self.started: list[Running] = []

    def start(self, name: str, *options: str) -> Running:
        ready = self.directory / f"{name}.ready"
        ready.unlink(missing_ok=True)
        environ = {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "HOLDFAST_RUN_DIR": str(self.directory),
            "HOLDFAST_GATEWAY_PORT": str(self.port),
            "HOLDFAST_GATEWAY_TOKEN": TOKEN,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }
        command = (*COMMAND, name, "--ready-file", str(ready), *options)
        server = Server(name=name, command=command, address="", directory=self.directory, environ=environ)
        self.started.append(launch(server, ready.exists))
        return self.started[-1]

    def start_sandbox(self, *options: str) -> None:
        book = ("--book", str(self.directory / "book.jsonl"))
        self.start("sandbox", "--port", "0", *book, "--push", self.push_url, *options)

    def create(self, keys: list[str]) -> dict[str, str]:
        """Give the waybills of new orders."""
        settings = Settings(carrier_url=f"{(self.directory / 'sandbox.ready').read_text()}/std/service")
        return asyncio.run(_create(settings, keys))


async def _create(settings: Settings, keys: list[str]) -> dict[str, str]:
    async with connect(settings) as call:
        answers = await asyncio.gather(
            *(
                call(
                    CallCarrier(
                        at=1,
                        fulfilment_id=key,
                        key=key,
                        kind=CallKind.CREATE,
                        carrier="sf",
                        units=(SkuUnits("A", 1),),
                        ship_to=SHIP_TO,
                    )
                )
                for key in keys
            )
        )
    assert {answer.answer for (answer,) in answers} == {Answer.OK}
    return {answer.key: answer.waybill_no for (answer,) in answers}


@pytest.fixture
def carrier(tmp_path: Path, kafka: str) -> Iterator[Carrier]:
    carrier = Carrier(tmp_path, kafka)
    yield carrier
    for process in carrier.started:
        kill(process)


@pytest.fixture
def log(kafka: str) -> Iterator[Consumer]:
    """Give a reader that stands at the end of the topic."""
    admin = AdminClient({"bootstrap.servers": kafka})
    topic = NewTopic(TRACKING_COMMANDS.name, 4, 1, config=dict(TRACKING_COMMANDS.config()))
    for created in admin.create_topics([topic]).values():
        with contextlib.suppress(KafkaException):  # another test of the session has made it
            created.result()
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "tests-carriers", "enable.auto.commit": False})
    partitions = consumer.list_topics(TRACKING_COMMANDS.name, timeout=DEADLINE_SECONDS).topics[topic.topic].partitions
    ends = [TopicPartition(topic.topic, number) for number in partitions]
    for end in ends:
        end.offset = consumer.get_watermark_offsets(end, timeout=DEADLINE_SECONDS)[1]
    consumer.assign(ends)
    yield consumer
    consumer.close()


def read_until(log: Consumer, records: list[Message], reports: int) -> bool:
    """Read on until there are so many different reports."""

    def all_there() -> bool:
        records.extend(log.consume(1000, timeout=0.1))
        return len({DECODE(record.value() or b"").report_id for record in records}) >= reports

    return wait_until(all_there, DEADLINE_SECONDS)


def test_every_report_of_every_parcel_reaches_the_log_under_its_key(carrier: Carrier, log: Consumer) -> None:
    gateway = carrier.start("gateway")
    carrier.start_sandbox("--report-interval-seconds", "0.1")
    keys = [f"way-{number}-1" for number in range(ORDERS)]
    waybills = carrier.create(keys)
    records: list[Message] = []
    assert read_until(log, records, ORDERS * STEPS)
    reports = [DECODE(record.value() or b"") for record in records]
    assert {report.fulfilment_id: report.waybill_no for report in reports} == waybills
    assert [record.key() for record in records] == [report.fulfilment_id.encode() for report in reports]
    for key in keys:
        way = [report.report for report in reports if report.fulfilment_id == key]
        assert way == [Report.COLLECTED, Report.IN_TRANSIT, Report.OUT_FOR_DELIVERY, Report.SIGNED]
    partitions = len(log.list_topics(TRACKING_COMMANDS.name).topics[TRACKING_COMMANDS.name].partitions)
    expected = [(murmur2(record.key()) & 0x7FFFFFFF) % partitions for record in records]
    assert [record.partition() for record in records] == expected
    stop(gateway)
    assert not is_alive(gateway)
    assert "Traceback" not in gateway.log.read_text()


def test_no_report_is_lost_when_the_gateway_is_killed(carrier: Carrier, log: Consumer) -> None:
    gateway = carrier.start("gateway")
    carrier.start_sandbox("--report-interval-seconds", "0.5")
    carrier.create([f"kill-{number}-1" for number in range(ORDERS)])
    records: list[Message] = []
    for share in (1, 2, 3):
        assert read_until(log, records, ORDERS * share)
        kill(gateway)
        gateway = carrier.start("gateway")
    assert read_until(log, records, ORDERS * STEPS)
    ids = {DECODE(record.value() or b"").report_id for record in records}
    assert len(ids) == ORDERS * STEPS
