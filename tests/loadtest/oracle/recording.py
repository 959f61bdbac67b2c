"""A recorded history: a small run of the whole pipeline, a worker killed half-way, as the oracle read it.

    python -m pipeline demo --orders 70 --rate 40 --hostile 9 --cancelled-share 0.1 --unpaid-share 0.12 \
        --out-of-order-share 0.1 --twice-share 0.06 --keep      (with HOLDFAST_PAGE_ENTRIES=16)
    HOLDFAST_RUN_DIR=<its run directory> python -m tests.loadtest.oracle.recording

writes it again. Not every run has all that an anomaly is put into (a fulfilment order cancelled in time, say): where
`test_recorded` then misses one, record another run, with another --seed.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec

from loadtest.oracle.history import BookEntry, Delivery, Fact, History, Letter, RawMessage, StoredPartition
from loadtest.oracle.log import Broker
from loadtest.oracle.traces import Changelog, End, Input, Leak, Scan
from loadtest.oracle.verdict import Sources, read_history
from pipeline.settings import read_settings

RECORDED = Path(__file__).with_name("recorded.msgpack.z")
ROWS: dict[str, Any] = {
    "raw": RawMessage,
    "feed": Delivery,
    "facts": Fact,
    "letters": Letter,
    "book": BookEntry,
    "stored": StoredPartition,
    "ends": End,
}


def save(history: History) -> None:
    # Tuples become arrays; their kind follows from the field.
    known = {field.name: getattr(history, field.name) for field in fields(history) if field.name != "absent"}
    RECORDED.write_bytes(zlib.compress(msgspec.msgpack.encode(known), 9))


def load() -> History:
    known = msgspec.msgpack.decode(zlib.decompress(RECORDED.read_bytes()))
    for name, kind in ROWS.items():
        known[name] = [kind(*row) for row in known[name]]
    known["raw"] = [message._replace(expect=tuple(message.expect)) for message in known["raw"]]
    known["feed"] = [one._replace(units=tuple(map(tuple, one.units))) for one in known["feed"]]
    known["inputs"] = {topic: [Input(*row) for row in rows] for topic, rows in known["inputs"].items()}
    known["changelogs"] = {key: Changelog(*row)._replace(odd=tuple(row[3])) for key, row in known["changelogs"].items()}
    places, sown, leaks = known["scanned"]
    known["scanned"] = Scan(places, sown, tuple(Leak(*leak) for leak in leaks))
    for name in ("acks", "faults", "samples", "replay", "aborted"):
        del known[name]
    return History(**known)


def record() -> None:
    settings = read_settings(os.environ, needs=("kafka", "redis", "clickhouse"))
    broker, book = Broker(settings.kafka, settings.kafka_config), settings.run_dir / "sandbox" / "book.jsonl"
    sources = Sources(broker, book, settings.clickhouse, settings.deployment, settings.redis, settings.run_dir)
    save(read_history(sources))


if __name__ == "__main__":
    record()
