"""Bytewax as its manual shows it: a stateful step by stock pool between Kafka's source and sink, with recovery on.

`python -m bytewax.run "loadtest.peers.programs.bytewax_flow:make_flow('KAFKA')" -r DIRECTORY -s SECONDS`, in the peers'
own environment. What is recovered lies in SQLite, not in a changelog; the sink may repeat what came after a snapshot.
"""

from __future__ import annotations

from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow

from loadtest.peers.job import BATCH_RECORDS, READS, WRITES
from loadtest.peers.programs.rule import answer

Tables = tuple[dict[str, Any], dict[str, Any]]
"""The tables of one pool: stock and holds."""


def reserve(tables: Tables | None, command: dict[str, Any]) -> tuple[Tables, list[dict[str, Any]]]:
    """Answer a command from the tables of its pool."""
    tables = tables or ({}, {})
    told = answer(*tables, command)
    return tables, [] if told is None else [told]


def make_flow(kafka: str) -> Dataflow:
    """Build the dataflow."""
    flow = Dataflow("peers")
    source = KafkaSource([kafka], [READS], tail=True, batch_size=BATCH_RECORDS, add_config={"fetch.wait.max.ms": "20"})
    commands = op.map("decode", op.input("commands", flow, source), lambda record: orjson.loads(record.value))
    keyed = op.key_on("pool", commands, lambda command: command["pool"])
    answers = op.stateful_flat_map("reserve", keyed, reserve)
    out = op.map("encode", answers, lambda pair: KafkaSinkMessage(pair[1]["order_id"].encode(), orjson.dumps(pair[1])))
    op.output("answers", out, KafkaSink([kafka], WRITES, add_config={"compression.type": "lz4", "linger.ms": "5"}))
    return flow
