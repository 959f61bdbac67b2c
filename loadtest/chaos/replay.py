"""Replay: fold each deciding stage's real code over its input topic once more, and compare the outputs with the topics.

A decision is a pure function of the log, so a fresh fold of what a stage has processed gives the same keys and values
as the workers wrote, however often they were killed meanwhile. What comes from outside the deciding stages (stock
feeds, the carriers' answers and reports) is told by its command and left out. Run it on a deployment that rests.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from agents import stages
from loadtest.options import write_json
from loadtest.oracle.log import Broker, read_topic
from pipeline import topics
from pipeline.engine.deciding import Deciding
from pipeline.engine.restore import Restorer
from pipeline.engine.stage import DecidingStage, Record
from pipeline.engine.tables import PAGE_ENTRIES, PartitionTables
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from confluent_kafka import Message

    from pipeline.settings import Settings

BATCH_RECORDS_MAX = 500
DIFFERENCES_SHOWN_MAX = 5
CHARACTERS_SHOWN_MAX = 300
DEAD_LETTERS_IN_A_ROW_MAX = 1 << 60
"""A replay judges no deployment: it buries what was buried."""
SUM_BITS = 64
COMMAND_HEAD = b'{"command":"'
EVENT_HEAD = b'{"id":"'
REPLAY_FILE = "replay.json"


class StageReplay(msgspec.Struct, frozen=True):
    """A stage's replay: the records folded, the outputs they gave, and how many of these are missing or too many."""

    stage: str
    records: int
    outputs: int
    differing: int
    first: list[str]


class Replay(msgspec.Struct, frozen=True):
    """A replay of all deciding stages."""

    stages: list[StageReplay]

    @property
    def holds(self) -> bool:
        """Say whether every output was found once, and nothing else."""
        return not any(stage.differing for stage in self.stages)


class Group(NamedTuple):
    """Outputs that are compared with each other: of a topic, those with one command, or from one stage."""

    topic: str
    kind: str


class Output(NamedTuple):
    """A record as a stage writes it."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def main(arguments: list[str]) -> int:
    """Replay the deployment of this environment. Gives 0 if every output was found once, and nothing else."""
    argparse.ArgumentParser(prog="python -m loadtest replay", description=__doc__).parse_args(arguments)
    settings = read_settings(os.environ, needs=("kafka",))
    found = replay(settings, settings.run_dir)
    for stage in found.stages:
        print(f"{stage.stage:12} {stage.records:9,} records {stage.outputs:9,} outputs {stage.differing:6,} differing")
        for line in stage.first:
            print(f"  {line}")
    return 0 if found.holds else 1


def replay(settings: Settings, run_dir: Path) -> Replay:
    """Replay what the deployment has processed, and write the result into the run directory.

    Raises RefusedStartError where the group has no committed offsets, TransientError where a topic cannot be read.
    """
    deciding = [stage for stage in stages(settings) if isinstance(stage, DecidingStage)]
    inputs = {(stage.reads.name, number) for stage in deciding for number in range(settings.partitions)}
    offsets = Restorer(settings, deciding).committed(inputs)
    broker = Broker(settings.kafka, settings.kafka_config)
    found = compare(deciding, lambda topic: map(_record, read_topic(broker, topic)), offsets, settings.page_entries)
    write_json(run_dir / REPLAY_FILE, found)
    return found


def compare(
    deciding: Sequence[DecidingStage],
    read: Callable[[str], Iterable[Record]],
    offsets: Mapping[tuple[str, int], int],
    page_entries: int = PAGE_ENTRIES,
) -> Replay:
    """Fold every stage up to the given offsets (of its next input records), and compare with what the topics hold.

    `read(topic)` gives a topic's committed records, each partition in its order; it is called more than once.
    """
    return _Comparison(deciding, read, offsets, page_entries).result()


class _Comparison:
    """The comparison. First only counts and sums of hashes; what differs there is read again and told record by record.

    Hashes add up to the same sum in any order, so no output need be kept.
    """

    def __init__(
        self,
        deciding: Sequence[DecidingStage],
        read: Callable[[str], Iterable[Record]],
        offsets: Mapping[tuple[str, int], int],
        page_entries: int,
    ) -> None:
        self._page_entries = page_entries
        self._deciding = deciding
        self._read = read
        self._offsets = offsets
        self._writers: dict[Group, list[str]] = defaultdict(list)
        for stage in deciding:
            for group in _groups(stage):
                self._writers[group].append(stage.name)

    def result(self) -> Replay:
        """Compare."""
        records: dict[str, int] = {}
        outputs: Counter[str] = Counter()
        expected: Counter[Group] = Counter()
        for stage in self._deciding:

            def count(output: Output, stage: str = stage.name) -> None:
                outputs[stage] += 1
                expected[_group(output)] += _weight(output)

            records[stage.name] = self._fold(stage, count)
        held: Counter[Group] = Counter()
        for output in self._written({group.topic for group in self._writers}):
            held[_group(output)] += _weight(output)
        wrong = {group for group in expected.keys() | held.keys() if expected[group] != held[group]}
        differing, shown = self._differences(wrong)
        unknown = differing.keys() - records.keys()
        return Replay(
            [
                StageReplay(name, records.get(name, 0), outputs[name], differing[name], shown[name])
                for name in (*records, *sorted(unknown))
            ]
        )

    def _fold(self, stage: DecidingStage, emit: Callable[[Output], None]) -> int:
        """Run a stage over its input from the beginning. Gives the number of records."""

        def produce(topic: str, value: bytes | None, key: bytes | str | None, *more: object) -> None:
            headers: object = more[4] if len(more) > 4 else ()  # noqa: PLR2004  librdkafka's order of arguments
            emit(Output(topic, _bytes(key), value, tuple(headers)))  # type: ignore[arg-type]  # they are pairs

        running = Deciding(stage, produce, DEAD_LETTERS_IN_A_ROW_MAX)
        tables: dict[int, PartitionTables] = defaultdict(lambda: PartitionTables(stage, self._page_entries))
        records = 0
        for batch in _batches(self._read(stage.reads.name), self._offsets):
            held = tables[batch[0].partition]
            running.run(held, batch)
            held.next_offset, held.last_timestamp_ms = batch[-1].offset + 1, batch[-1].timestamp_ms
            for _ in held.changes():
                pass  # as a commit does; only the outputs are of interest
            records += len(batch)
        return records

    def _written(self, names: Collection[str]) -> Iterator[Output]:
        """Give what the topics hold of the deciding stages' outputs."""
        for topic in sorted(names):
            for record in self._read(topic):
                headers = tuple(record.headers) if topic == topics.DEAD_LETTERS.name else ()
                output = Output(topic, record.key or b"", record.value, headers)
                if topic == topics.ORDER_EVENTS.name or _group(output) in self._writers:
                    yield output

    def _differences(self, wrong: Collection[Group]) -> tuple[Counter[str], dict[str, list[str]]]:
        """Tell, by stage, how many outputs of the given groups differ, and the first of them."""
        differing: Counter[str] = Counter()
        shown: dict[str, list[str]] = defaultdict(list)
        if not wrong:
            return differing, shown
        surplus = Counter(
            output for output in self._written({group.topic for group in wrong}) if _group(output) in wrong
        )
        missing: Counter[tuple[str, Output]] = Counter()
        for stage in self._deciding:
            if _groups(stage) & set(wrong):

                def match(output: Output, stage: str = stage.name) -> None:
                    if _group(output) not in wrong:
                        return
                    if surplus[output] > 0:
                        surplus[output] -= 1
                    else:
                        missing[stage, output] += 1

                self._fold(stage, match)
        for (stage_name, output), number in missing.items():
            differing[stage_name] += number
            shown[stage_name].append(f"missing {number}x: {_show(output)}")
        for output, number in (+surplus).items():
            writer = self._writers.get(_group(output), ["?"])[0]
            differing[writer] += number
            shown[writer].append(f"not expected {number}x: {_show(output)}")
        return differing, defaultdict(list, {name: lines[:DIFFERENCES_SHOWN_MAX] for name, lines in shown.items()})


def _batches(records: Iterable[Record], offsets: Mapping[tuple[str, int], int]) -> Iterator[list[Record]]:
    """Group neighbours of one partition, leaving out what was not processed."""
    batch: list[Record] = []
    for record in records:
        if record.offset >= offsets.get((record.topic, record.partition), 0):
            continue
        if batch and (batch[0].partition != record.partition or len(batch) >= BATCH_RECORDS_MAX):
            yield batch
            batch = []
        batch.append(record)
    if batch:
        yield batch


def _groups(stage: DecidingStage) -> set[Group]:
    """Give the groups that a stage writes."""
    commands = {Group(topic.name, command.__name__) for command, topic in stage.writes.items()}
    return commands | {Group(topics.ORDER_EVENTS.name, stage.name), Group(topics.DEAD_LETTERS.name, stage.name)}


def _group(output: Output) -> Group:
    """Tell an output's group by the head of its value, as the engine encodes it; a dead letter's by its header."""
    value = output.value or b""
    if output.topic == topics.DEAD_LETTERS.name:
        told = next((text for name, text in output.headers if name == "error.stage"), b"")
    elif output.topic == topics.ORDER_EVENTS.name:
        parts = value.split(b'"', 8)
        told = parts[7] if value.startswith(EVENT_HEAD) and len(parts) > 8 and parts[5] == b"stage" else b""  # noqa: PLR2004
    else:
        told = (
            value[len(COMMAND_HEAD) : len(COMMAND_HEAD) + 60].partition(b'"')[0]
            if value.startswith(COMMAND_HEAD)
            else b""
        )
    return Group(output.topic, told.decode(errors="replace"))


def _weight(output: Output) -> int:
    """Give a number whose sum tells a multiset: the low bits add up hashes, those above count."""
    return (1 << 2 * SUM_BITS) | (hash(output) & ((1 << SUM_BITS) - 1))


def _record(message: Message) -> Record:
    return Record(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        message.headers() or (),  # type: ignore[arg-type]
    )


def _bytes(key: bytes | str | None) -> bytes:
    return key.encode() if isinstance(key, str) else key or b""


def _show(output: Output) -> str:
    value = "no value" if output.value is None else repr(output.value[:CHARACTERS_SHOWN_MAX])
    return f"{output.topic} key {output.key!r}: {value}"
