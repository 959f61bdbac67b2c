"""Read what went in: the shops' messages in orders.raw, and the commands that the stages read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from loadtest.oracle.asked import ask
from loadtest.oracle.history import Delivery, RawMessage
from loadtest.oracle.log import Broker, read_topic
from loadtest.oracle.privacy import CLEAN_TOPICS
from loadtest.oracle.traces import Input

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from confluent_kafka import Message

    from loadtest.oracle.privacy import Lookout

ORDERS_RAW = "orders.raw"
STOCK_COMMANDS = "stock.commands"
INPUT_TOPICS = (
    "tracking.commands",
    "carrier.calls",
    "waybill.commands",
    "routing.commands",
    STOCK_COMMANDS,
    "order.commands",
)
"""What is caused is read before what causes it, so that in a run that goes on no cause is missed."""


def read_raw(broker: Broker, lookout: Lookout) -> list[RawMessage]:
    """Read every message of every shop."""
    return [_raw_message(record, lookout) for record in read_topic(broker, ORDERS_RAW)]


def source(record: Message) -> str:
    """Name a record: topic-partition-offset."""
    return f"{record.topic()}-{record.partition()}-{record.offset()}"


def headers(record: Message) -> dict[str, str]:
    """Give a record's headers; of several of one name the first."""
    found: dict[str, str] = {}
    for pair in record.headers() or ():
        name, value = pair[0], pair[1]
        text = value if isinstance(value, str) else (value or b"").decode(errors="replace")
        found.setdefault(name, text)
    return found


def _raw_message(record: Message, lookout: Lookout) -> RawMessage:
    told = headers(record)
    value, key = record.value() or b"", record.key()
    lookout.sow(value)
    asked = ask(told, value)
    expect = tuple(told["expect"].split("|")) if "expect" in told else ()
    intended_ms = int(told.get("intended-ms", "0"))
    text = key.decode(errors="replace") if isinstance(key, bytes) else key
    return RawMessage(source(record), asked.kind, asked.order_id, intended_ms, expect, asked.units, text, asked.trim_id)


def read_inputs(broker: Broker, lookout: Lookout) -> dict[str, Any]:
    """Read every command, and what the warehouses said among those about stock."""
    inputs: dict[str, list[Input]] = {}
    for topic in INPUT_TOPICS:
        found = inputs[topic] = []
        for record in read_topic(broker, topic):
            value = record.value() or b""
            found.append(Input(record.partition() or 0, record.offset() or 0, value))
            if topic in CLEAN_TOPICS:
                lookout.look(topic, value)
        found.sort(key=lambda one: (one.partition, one.offset))
    return {"inputs": inputs, "feed": list(deliveries(inputs[STOCK_COMMANDS]))}


def deliveries(records: Iterable[Input]) -> Iterator[Delivery]:
    """Give what warehouses said that they got; the other commands of the topic are the pipeline's own."""
    for record in records:
        if b'"ReceiveStock"' in record.value:
            command = orjson.loads(record.value)
            if command["command"] == "ReceiveStock":
                units = tuple((sku, count) for sku, count in command["units"])
                place = f"{STOCK_COMMANDS}-{record.partition}-{record.offset}"
                yield Delivery(place, command["pool"], command["feed_id"], units, command.get("inbound_id", ""))
