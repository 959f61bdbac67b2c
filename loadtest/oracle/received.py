"""Read what went in: the shops' messages in orders.raw, and the goods that warehouses received in stock.commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from loadtest.oracle.asked import ask
from loadtest.oracle.history import Delivery, RawMessage
from loadtest.oracle.log import Broker, read_topic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message

ORDERS_RAW = "orders.raw"
STOCK_COMMANDS = "stock.commands"


def read_raw(broker: Broker) -> list[RawMessage]:
    """Read every message of every shop."""
    return [_raw_message(record) for record in read_topic(broker, ORDERS_RAW)]


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


def _raw_message(record: Message) -> RawMessage:
    told = headers(record)
    asked = ask(told, record.value() or b"")
    expect = tuple(told["expect"].split("|")) if "expect" in told else ()
    intended_ms = int(told.get("intended-ms", "0"))
    return RawMessage(source(record), asked.kind, asked.order_id, intended_ms, expect, asked.units)


def read_feed(broker: Broker) -> list[Delivery]:
    """Read what the warehouses said of their stock; the other commands of the topic are the pipeline's own."""
    return [delivery for record in read_topic(broker, STOCK_COMMANDS) for delivery in _deliveries(record)]


def _deliveries(record: Message) -> Iterator[Delivery]:
    value = record.value() or b""
    if b'"ReceiveStock"' in value:
        command = orjson.loads(value)
        if command["command"] == "ReceiveStock":
            units = tuple((sku, count) for sku, count in command["units"])
            yield Delivery(source(record), command["pool"], command["feed_id"], units)
