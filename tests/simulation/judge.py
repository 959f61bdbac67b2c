"""The judge of a run: what must hold of every transaction when it is decided, and of everything at the end.

Decided transactions are looked at in the order of their decisions, as wholes: that is the order in which the log says
they happened, whatever their markers do. The stock is a small model of its own, which shares nothing with the rules.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline import topics
from pipeline.engine.deciding import Deciding
from pipeline.engine.live import PagedTable
from pipeline.engine.stage import DecidingStage, Record
from pipeline.engine.tables import PartitionTables
from pipeline.errors import UnknownOutcomeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.simulation.broker import Transaction
    from tests.simulation.log import Entry, Partition
    from tests.simulation.world import World

DEAD_LETTERS_IN_A_ROW_MAX = 1_000_000


class Fact(msgspec.Struct, frozen=True):
    """What the judge reads of an event."""

    id: str
    stage: str
    cause: str
    event: str
    order_id: str = ""
    pool: str = ""
    fulfilment_id: str = ""
    units: list[tuple[str, int]] | int = 0


_decode = msgspec.json.Decoder(Fact).decode


class Judge:
    """The judge of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids: set[str] = set()
        self._buried: Counter[str] = Counter()
        self._held: set[str] = set()
        self._free: Counter[tuple[str, str]] = Counter()
        self._settled: set[tuple[str, str]] = set()
        self._understood: Counter[str] = Counter()

    def is_expected(self, error: BaseException) -> bool:
        """Say whether a worker may end so: a transaction's outcome was not known."""
        return isinstance(error, UnknownOutcomeError)

    def _blame(self, text: str) -> None:
        self._world.violations.append(text)

    # --- at each decision ---

    def decided(self, transaction: Transaction) -> None:
        """Look at a transaction that was committed."""
        facts: list[Fact] = []
        for (topic, _), part in transaction.parts.items():
            if topic == topics.ORDER_EVENTS.name:
                facts += [_decode(entry.value or b"") for entry in part.records]
            elif topic == topics.DEAD_LETTERS.name:
                self._bury(part.records)
        facts.sort(key=_place)
        for fact in facts:
            if fact.id in self._ids:
                self._blame(f"event {fact.id} ({fact.event}) is committed twice")
            self._ids.add(fact.id)
            self._world.note(f"committed: {fact.event} {fact.id}")
            self._keep_books(fact)
        for partition, offset in transaction.offsets.items():
            former = self._world.broker.group.offsets[partition]
            self._world.note(f"committed: {partition[0]}-{partition[1]} up to {offset}")
            if offset < former:
                self._blame(f"{partition[0]}-{partition[1]} was processed up to {former} and is committed at {offset}")

    def _bury(self, letters: Iterable[Entry]) -> None:
        for letter in letters:
            told = dict(letter.headers)
            source = b"-".join(told[f"source.{part}"] for part in ("topic", "partition", "offset")).decode()
            self._buried[source] += 1
            if self._buried[source] > 1:
                self._blame(f"{source} is two dead letters")

    def _keep_books(self, fact: Fact) -> None:
        """Count the free units of each pool and SKU: never below nothing; an order is held once, and settled once."""
        if fact.event == "OrderReceived":
            self._understood[fact.cause] += 1
        elif fact.event == "StockReceived":
            self._move(fact, 1)
        elif fact.event == "HoldPlaced":
            if fact.order_id in self._held:
                self._blame(f"order {fact.order_id} is held twice")
            self._held.add(fact.order_id)
            self._move(fact, -1)
        elif fact.event in {"HoldConsumed", "HoldReleased"}:
            if (fact.order_id, fact.fulfilment_id) in self._settled:
                self._blame(f"fulfilment {fact.fulfilment_id} is settled twice")
            self._settled.add((fact.order_id, fact.fulfilment_id))
            if fact.event == "HoldReleased":
                self._move(fact, 1)

    def _move(self, fact: Fact, sign: int) -> None:
        for sku, units in _units(fact):
            self._free[fact.pool, sku] += sign * units
            if self._free[fact.pool, sku] < 0:
                self._blame(f"{fact.id}: {sku} of pool {fact.pool} is oversold by {-self._free[fact.pool, sku]}")

    # --- at the end ---

    def unsettled(self) -> str:
        """Say what is not processed yet, or nothing."""
        broker = self._world.broker
        for (topic, number), offset in broker.group.offsets.items():
            end = broker.log(topic, number).is_read_by
            if offset < end:
                return f"{topic}-{number} is processed up to {offset} of {end}"
        return ""

    def at_the_end(self) -> list[str]:
        """Look at everything, once all is done."""
        found: list[str] = []
        written: Counter[tuple[Any, ...]] = Counter()
        expected: Counter[tuple[Any, ...]] = Counter()
        deciding = [stage for stage in self._world.stages if isinstance(stage, DecidingStage)]
        ours = {(topic.name, command.__name__) for stage in deciding for command, topic in stage.writes.items()}
        for topic, number in list(self._world.broker.logs):
            for entry in self._committed((topic, number)):
                if topic in {topics.ORDER_EVENTS.name, topics.DEAD_LETTERS.name} or (topic, _command(entry)) in ours:
                    written[_output(topic, entry.value, entry.key, entry.headers)] += 1
        for stage in deciding:
            for number in range(self._world.schedule.sizes.partitions):
                found += self._check_partition(stage, number, expected)
        found += [f"written {times} times too many: {output}" for output, times in (written - expected).items()]
        found += [f"missing {times} times: {output}" for output, times in (expected - written).items()]
        return found + list(self._check_raw()) + list(self._check_book())

    def _check_partition(self, stage: DecidingStage, number: int, expected: Counter[tuple[Any, ...]]) -> Iterator[str]:
        """Compare a fresh fold with what the changelog holds and with what the owner has in memory."""
        source = (stage.reads.name, number)
        committed = self._world.broker.group.offsets[source]
        fresh = self._fold(stage, source, expected)
        names = [live.table.name for live in fresh.tables]
        if names:
            restored = PartitionTables(stage, self._world.schedule.sizes.page_entries)
            for entry in self._committed((topics.changelog(stage.name).name, number)):
                restored.restore(entry.key or b"", entry.value)
            if restored.next_offset != committed:
                yield f"the checkpoint of {source} is {restored.next_offset}, its committed offset {committed}"
            restored.finish()
            if _state(restored) != _state(fresh):
                yield f"the changelog of {stage.name}-{number} is not the fold of {source}"
        for process in self._world.processes if names else ():
            held = None if process.is_ended else process.engine.partitions.get(source)
            if held is not None and held.next_offset == committed and _state(held) != _state(fresh):
                yield f"the tables of {stage.name}-{number} in slot {process.slot} are not the fold of {source}"

    def _fold(self, stage: DecidingStage, source: Partition, expected: Counter[tuple[Any, ...]]) -> PartitionTables:
        def produce(topic: str, value: bytes | None, key: Any, *more: Any) -> None:  # noqa: ANN401  librdkafka's
            name = key.encode() if isinstance(key, str) else key
            expected[_output(topic, value, name, more[4] if len(more) > 4 else ())] += 1

        tables = PartitionTables(stage, self._world.schedule.sizes.page_entries)
        records = [Record(*entry[:7]) for entry in self._committed(source)]
        Deciding(stage, produce, DEAD_LETTERS_IN_A_ROW_MAX).run(tables, records)
        return tables

    def _committed(self, partition: Partition) -> list[Entry]:
        log = self._world.broker.log(*partition)
        return log.read(0, log.end, committed=True)[0]

    def _check_raw(self) -> Iterator[str]:
        """See whether every raw record is understood or a dead letter, once."""
        for number in range(self._world.schedule.sizes.partitions):
            for entry in self._committed((topics.ORDERS_RAW.name, number)):
                source = f"{entry.topic}-{entry.partition}-{entry.offset}"
                times = self._understood[source] + self._buried[source]
                if times != 1:
                    yield f"{source} has {times} answers"

    def _check_book(self) -> Iterator[str]:
        """Compare what the carrier took with what left the stock: nothing ships twice or out of nothing."""
        consumed: dict[str, Counter[str]] = defaultdict(Counter)
        for entry in self._all(topics.ORDER_EVENTS.name):
            fact = _decode(entry.value or b"")
            if fact.event == "HoldConsumed":
                consumed[fact.fulfilment_id].update(dict(_units(fact)))
        book = self._world.carrier.book
        for key, parcel in book.items():
            units = Counter({unit.sku: unit.units for unit in parcel.units})
            if consumed.get(key, Counter()) != (units if parcel.collected else Counter()):
                yield f"the carrier's parcel {key} took {dict(units)}, the stock lost {dict(consumed.get(key, {}))}"
        for key in consumed.keys() - book.keys():
            yield f"the stock lost {key}, which the carrier does not have"

    def _all(self, topic: str) -> Iterator[Entry]:
        for number in range(self._world.schedule.sizes.partitions):
            yield from self._committed((topic, number))


def _units(fact: Fact) -> list[tuple[str, int]]:
    """Give an event's units by SKU."""
    return [] if isinstance(fact.units, int) else fact.units


def _place(fact: Fact) -> tuple[str, int, int, int]:
    """Give an event's place: its cause's partition and offset, and its place in the answer."""
    topic, partition, offset, index = fact.id.rsplit("-", 3)
    return topic, int(partition), int(offset), int(index)


def _state(tables: PartitionTables) -> list[tuple[Any, ...]]:
    """Give all that decides what comes next: entries, pages, what goes to the next page, what is forgotten."""
    told: list[tuple[Any, ...]] = [(tables.watermark_ms,)]
    for live in tables.tables:
        told.append((dict(live), live.forgotten_ms))
        if isinstance(live, PagedTable):
            live.sort_written()
            told.append((list(live.settled), sorted(live._gone), list(live.pages.items())))  # noqa: SLF001
    return told


def _command(entry: Entry) -> str:
    """Give the command that a stage wrote."""
    head = b'{"command":"'
    value = entry.value or b""
    return value[len(head) :].partition(b'"')[0].decode(errors="replace") if value.startswith(head) else ""


def _output(topic: str, value: bytes | None, key: bytes | None, headers: Any) -> tuple[Any, ...]:  # noqa: ANN401
    return topic, key, value, tuple(headers) if topic == topics.DEAD_LETTERS.name else ()
