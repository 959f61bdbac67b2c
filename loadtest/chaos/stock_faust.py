"""The control: a pass-through stage as Faust's manual shows it, with its `processing_guarantee="exactly_once"`.

`python -m loadtest.chaos.stock_faust KAFKA DIRECTORY` runs one worker; each wants a directory of its own. Nothing
of this project's engine is in it.
"""

from __future__ import annotations

import sys

import faust

from loadtest.chaos.control_sides import PARTITIONS, SESSION_SECONDS, STOCK_APP, STOCK_IN, STOCK_OUT


def create_app(kafka: str, directory: str) -> faust.App:
    """Build the app: one agent, one table, one output."""
    app = faust.App(
        STOCK_APP,
        broker=f"kafka://{kafka}",
        processing_guarantee="exactly_once",
        store="memory://",
        datadir=directory,
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=SESSION_SECONDS / 3,
        web_enabled=False,
    )
    source = app.topic(STOCK_IN, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    target = app.topic(STOCK_OUT, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    counts = app.Table("counts", default=int, partitions=PARTITIONS)

    async def passing(stream: faust.StreamT[bytes]) -> None:
        """Count, and pass on."""
        async for key, value in stream.items():
            counts[key.decode()] += 1
            await target.send(key=key, value=value)

    app.agent(source)(passing)
    return app


def main(arguments: list[str]) -> int:
    """Run one worker until a signal ends it."""
    kafka, directory = arguments
    faust.Worker(create_app(kafka, directory), loglevel="INFO").execute_from_commandline()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
