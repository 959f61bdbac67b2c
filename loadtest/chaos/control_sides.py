"""The two sides that the control compares: a pass-through stage of stock Faust, and one of this project's engine."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline import topics
from pipeline.errors import SetupError
from pipeline.settings import ROOT, VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PARTITIONS = 4
SESSION_SECONDS = 3.0
KEYS = 64
TOPIC_SECONDS = 30.0
STOCK_APP = "control-stock"
STOCK_IN = "control-in"
STOCK_OUT = "control-out"
Record = tuple[str, bytes]


class Place(NamedTuple):
    """A broker and a directory that one side works in."""

    kafka: str
    directory: Path


class Side(NamedTuple):
    """One side: topics, how its workers are started, how a record is written and told apart."""

    name: str
    reads: str
    writes: str
    provision: Callable[[Place], None]
    command: Callable[[Place, int], list[str]]
    environ: Callable[[Place, int], Mapping[str, str]]
    record: Callable[[int], Record]
    number: Callable[[bytes], int]


def _stock_topics(place: Place) -> None:
    admin = AdminClient({"bootstrap.servers": place.kafka})
    for future in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in (STOCK_IN, STOCK_OUT)]).values():
        future.result(TOPIC_SECONDS)


def _stock_command(place: Place, slot: int) -> list[str]:
    directory = str(place.directory / f"faust-{slot}")
    return [sys.executable, "-m", "loadtest.chaos.stock_faust", place.kafka, directory]


def _own_environ(place: Place, slot: int) -> Mapping[str, str]:
    return {
        VARIABLES["kafka"]: place.kafka,
        VARIABLES["run_dir"]: str(place.directory),
        VARIABLES["deployment"]: "control-own",
        VARIABLES["slot"]: str(slot),
        VARIABLES["partitions"]: str(PARTITIONS),
        VARIABLES["session_timeout_seconds"]: str(SESSION_SECONDS),
    }


def _own_topics(place: Place) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.chaos.passing", "provision"],
        cwd=ROOT,
        env={**os.environ, **_own_environ(place, 0)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"control: the topics were not created: {done.stderr[-2000:]}"
        raise SetupError(message)


def _own_record(number: int) -> Record:
    pool = f"p{number % KEYS}"
    payment = {"command": "PayOrder", "at": number, "pool": pool, "order_id": str(number), "paid_minor": 1}
    return pool, msgspec.json.encode(payment)


STOCK = Side(
    name="stock Faust, exactly_once",
    reads=STOCK_IN,
    writes=STOCK_OUT,
    provision=_stock_topics,
    command=_stock_command,
    environ=lambda _, __: {},
    record=lambda number: (f"p{number % KEYS}", str(number).encode()),
    number=int,
)
OWN = Side(
    name="this engine",
    reads=topics.ORDER_COMMANDS.name,
    writes=topics.STOCK_COMMANDS.name,
    provision=_own_topics,
    command=lambda _, __: [sys.executable, "-m", "loadtest.chaos.passing", "worker"],
    environ=_own_environ,
    record=_own_record,
    number=lambda value: int(msgspec.json.decode(value)["order_id"]),
)
