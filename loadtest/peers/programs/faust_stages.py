"""The six stages, and the carrier calls, on Faust as its manual shows it: at least once, an agent a stage.

The rules are the pipeline's own pure functions; decoding and encoding too. What differs is the machinery: Faust's
agents, its tables with their changelogs, its producer, its commits. They come at its own interval of 2.8 s: asked for
one each 0.1 s it does little else.
`python -m loadtest.peers.programs.faust_stages KAFKA APP DIRECTORY`, with the project's settings in the environment.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import faust
import msgspec
from faust.serializers import codecs

from agents import stages
from loadtest.peers.job import PARTITIONS, SESSION_SECONDS
from loadtest.peers.programs.changelogs import make_changelogs
from pipeline.domain.events import Event
from pipeline.domain.notes import Note
from pipeline.engine.deciding import routes
from pipeline.engine.outputs import ORDER_EVENTS, encode_json, event_json
from pipeline.engine.stage import CallingStage, DecidingStage, Record
from pipeline.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.engine.stage import Stage
    from pipeline.topics import Table

CALLS = 64
"""Actors of the calling agent."""
RAW: dict[str, Any] = {
    "key_type": bytes,
    "value_type": bytes,
    "key_serializer": "raw",
    "value_serializer": "raw",
}


class MessagePack(codecs.Codec):
    """Writes and reads a table's values."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode: Callable[[bytes], object] = msgspec.msgpack.Decoder(kind).decode

    def _dumps(self, obj: object) -> bytes:
        return self._encode(obj)

    def _loads(self, s: bytes) -> object:
        return self._decode(s)


class View(MutableMapping[str, Any]):
    """A Faust table as the rules see one: nothing in it is ever forgotten."""

    forgotten_ms = 0

    def __init__(self, table: Any) -> None:  # noqa: ANN401  Faust's
        self._table = table

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401  the table's value type
        return self._table[key]

    def get(self, key: str, default: object = None) -> Any:  # noqa: ANN401  the table's value type
        """Look a value up."""
        return self._table.get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._table

    def __setitem__(self, key: str, value: object) -> None:
        self._table[key] = value

    def __delitem__(self, key: str) -> None:
        del self._table[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


class StagesApp:
    """The app, and what its agents share."""

    def __init__(self, kafka: str, name: str, directory: str, settings: Settings) -> None:
        self.settings = settings
        self.app = faust.App(
            name,
            broker=f"kafka://{kafka}",
            store="memory://",
            datadir=directory,
            topic_partitions=PARTITIONS,
            topic_replication_factor=1,
            broker_session_timeout=SESSION_SECONDS,
            broker_heartbeat_interval=SESSION_SECONDS / 3,
            consumer_group_instance_id=f"{name}-0",
            consumer_auto_offset_reset="earliest",
            producer_compression_type="lz4",
            producer_linger=0.005,
            stream_wait_empty=False,
            web_enabled=False,
        )
        self._topics: dict[str, Any] = {}
        for stage in stages(settings):
            if isinstance(stage, DecidingStage):
                self._decide(stage)
            else:
                self._call(stage)

    def topic(self, name: str) -> Any:  # noqa: ANN401  Faust's
        """Give a topic of bytes."""
        if name not in self._topics:
            self._topics[name] = self.app.topic(name, **RAW)
        return self._topics[name]

    def _table(self, stage: Stage, table: Table) -> View:
        name = f"{stage.name}-{table.name}"
        codecs.register(name, MessagePack(table.value))
        made: Any = self.app.Table(name, partitions=PARTITIONS)
        made.value_serializer = name  # no argument sets it; the store and the changelog are made later
        return View(made)

    def _decide(self, stage: DecidingStage) -> None:
        """Make the agent of a stage that decides."""
        state = stage.state(*(self._table(stage, table) for table in stage.tables))
        ways, events = routes(stage), self.topic(ORDER_EVENTS)

        async def agent(stream: Any) -> None:  # noqa: ANN401  Faust's
            async for event in stream.events():
                record = _record(event.message)
                index = 0
                for command in stage.decode(record):
                    for answer in stage.decide(state, command):
                        if isinstance(answer, Event):
                            stage.evolve(state, answer)
                            value = event_json(stage.name, record.source, index, answer)
                            await events.send(key=answer.order_id.encode(), value=value)
                            index += 1
                        elif isinstance(answer, Note):
                            stage.evolve(state, answer)
                        else:
                            await self._send(ways, answer)

        self._add(stage, agent)

    def _call(self, stage: CallingStage) -> None:
        """Make the agent of the stage that calls carriers: many actors, each waits for its own call."""
        ways = routes(stage)
        opened: list[Callable[[Any], Any]] = []
        connection, lock = AsyncExitStack(), asyncio.Lock()

        async def agent(stream: Any) -> None:  # noqa: ANN401  Faust's
            async for event in stream.events():
                async with lock:
                    if not opened:
                        opened.append(await connection.enter_async_context(stage.connect(self.settings)))
                for command in stage.decode(_record(event.message)):
                    await asyncio.sleep(command.delay_seconds)
                    for answer in await opened[0](command):
                        await self._send(ways, answer)

        self._add(stage, agent, concurrency=CALLS)

    async def _send(self, ways: dict[type, tuple[str, str]], command: Any) -> None:  # noqa: ANN401  any command
        topic, key = ways[type(command)]
        await self.topic(topic).send(key=getattr(command, key).encode(), value=encode_json(command))

    def _add(self, stage: Stage, agent: Any, concurrency: int = 1) -> None:  # noqa: ANN401  Faust's
        agent.__module__, agent.__name__, agent.__qualname__ = "stages", stage.name, stage.name
        self.app.agent(self.topic(stage.reads.name), concurrency=concurrency)(agent)


def _record(message: Any) -> Record:  # noqa: ANN401  Faust's
    headers = message.headers.items() if isinstance(message.headers, dict) else message.headers or ()
    milliseconds = int(message.timestamp * 1000)
    value = message.value
    return Record(message.topic, message.partition, message.offset, milliseconds, message.key, value, tuple(headers))


def main(arguments: list[str]) -> int:
    """Run one worker until a signal ends it."""
    kafka, name, directory = arguments
    made: Any = StagesApp(kafka, name, directory, read_settings(os.environ, needs=("kafka",)))
    make_changelogs(kafka, name, made.app.tables)
    faust.Worker(made.app, loglevel="INFO").execute_from_commandline()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
