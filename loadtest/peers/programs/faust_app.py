"""Faust as its manual shows it: an agent, two tables with changelogs, records decoded by their class.

`python -m loadtest.peers.programs.faust_app KAFKA APP DIRECTORY at_least_once|exactly_once`.
"""

from __future__ import annotations

import sys
from typing import Any

import faust

from loadtest.peers.job import COMMIT_SECONDS, PARTITIONS, READS, SESSION_SECONDS, WRITES
from loadtest.peers.programs.changelogs import make_changelogs
from loadtest.peers.programs.rule import answer


class StockCommand(faust.Record, serializer="json"):
    """A command of the input; fields that it does not have are left out."""

    command: str
    at: int
    pool: str
    order_id: str = ""
    feed_id: str = ""
    units: list = []  # type: ignore[type-arg]  # noqa: RUF012  Faust reads it so


def create_app(kafka: str, name: str, directory: str, guarantee: str) -> faust.App:
    """Build the app: one agent, two tables, one output."""
    app = faust.App(
        name,
        broker=f"kafka://{kafka}",
        processing_guarantee=guarantee,
        store="memory://",
        datadir=directory,
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        broker_commit_interval=COMMIT_SECONDS,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=SESSION_SECONDS / 3,
        consumer_group_instance_id=f"{name}-0",
        consumer_auto_offset_reset="earliest",
        producer_compression_type="lz4",
        producer_linger=0.005,
        stream_wait_empty=False,
        web_enabled=False,
    )
    source = app.topic(READS, key_type=str, value_type=StockCommand)
    target = app.topic(WRITES, key_type=str, value_serializer="json")
    stock = app.Table("stock", partitions=PARTITIONS)
    holds = app.Table("holds", partitions=PARTITIONS)

    async def reserve(stream: faust.StreamT[StockCommand]) -> None:
        """Hold all of an order, or none."""
        async for command in stream:
            told = answer(stock, holds, command.asdict())
            if told is not None:
                await target.send(key=told["order_id"], value=told)

    app.agent(source)(reserve)
    return app


def main(arguments: list[str]) -> int:
    """Run one worker until a signal ends it."""
    kafka, name, directory, guarantee = arguments
    app: Any = create_app(kafka, name, directory, guarantee)
    make_changelogs(kafka, name, app.tables)
    faust.Worker(app, loglevel="INFO", loop=None).execute_from_commandline()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
