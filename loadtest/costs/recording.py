"""What each stage reads and answers, recorded in this process: real orders through the real stages, as JSON.

Only the carrier is made up: it issues a waybill for each call, and reports each parcel as often as is asked.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from agents import stages
from loadtest.recovery.murmur import partition_of
from loadtest.recovery.remembered import WAY
from pipeline import topics
from pipeline.domain.commands import Answer, CallCarrier, CallKind, RecordAnswer, ReportShipment
from pipeline.engine.deciding import Deciding
from pipeline.engine.stage import DecidingStage, Record
from pipeline.engine.tables import PartitionTables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loadtest.plan import Plan
    from pipeline.settings import Settings

BATCH_RECORDS_MAX = 500
"""Of a partition: what a worker has in hand when it is busy."""
DEAD_LETTERS_MAX = 1 << 60
KEYS_CACHED = 1 << 17


class Recorded(NamedTuple):
    """A stage's input, as batches of one partition each, and how much it wrote."""

    stage: DecidingStage
    batches: list[list[Record]]
    written: Counter[str]
    """Records by topic."""
    written_bytes: int

    @property
    def records(self) -> int:
        """Count the input records."""
        return sum(map(len, self.batches))

    @property
    def outputs(self) -> int:
        """Count the output records."""
        return self.written.total()


class Recordings(NamedTuple):
    """The recordings of all stages, the records of order.events, and the calls to the carrier."""

    stages: list[Recorded]
    events: list[Record]
    calls: list[Record]


class _Log:
    """The topics between the stages, in memory. `at_ms` is the broker's time of every record."""

    def __init__(self, settings: Settings, reports: int, at_ms: int) -> None:
        """Begin with empty topics. `reports` is how often a parcel's carrier reports, up to `len(WAY)`."""
        self._reports = WAY[:reports]
        self._at_ms = at_ms
        self._waiting: dict[str, dict[int, list[Record]]] = defaultdict(lambda: defaultdict(list))
        self._next: Counter[tuple[str, int]] = Counter()
        self._place = lru_cache(KEYS_CACHED)(lambda key: partition_of(key, settings.partitions))
        self.events: list[Record] = []
        self.calls: list[Record] = []
        self._shipped: list[tuple[CallCarrier, str]] = []
        """Parcels that their carrier reports next: their waybills are known by then."""

    def put(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | str | None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Append a record."""
        text = key.decode() if isinstance(key, bytes) else key or ""
        number = self._place(text)
        record = Record(topic, number, self._next[topic, number], self._at_ms, text.encode(), value, headers)
        self._next[topic, number] += 1
        if topic == topics.ORDER_EVENTS.name:
            self.events.append(record)
        else:
            self._waiting[topic][number].append(record)

    def take(self, topic: str) -> Iterable[list[Record]]:
        """Give what waits in a topic, batch by batch."""
        for records in self._waiting.pop(topic, {}).values():
            for begin in range(0, len(records), BATCH_RECORDS_MAX):
                yield records[begin : begin + BATCH_RECORDS_MAX]

    def call_carrier(self) -> bool:
        """Answer the calls that wait, and let the parcels go their way. Says whether there were any."""
        for call, waybill_no in self._shipped:
            self._report(call, waybill_no)
        self._shipped.clear()
        records = [record for batch in self.take(topics.CARRIER_CALLS.name) for record in batch]
        self.calls += records
        for call in [msgspec.json.decode(record.value or b"", type=CallCarrier) for record in records]:
            waybill_no = f"SF{call.fulfilment_id}" if call.kind is not CallKind.VOID else ""
            answer = RecordAnswer(
                at=call.at,
                fulfilment_id=call.fulfilment_id,
                key=call.key,
                kind=call.kind,
                answer=Answer.OK,
                waybill_no=waybill_no,
            )
            self.put(topics.WAYBILL_COMMANDS.name, msgspec.json.encode(answer), call.fulfilment_id)
            if call.kind is CallKind.CREATE:
                self._shipped.append((call, waybill_no))
        return bool(records)

    def _report(self, call: CallCarrier, waybill_no: str) -> None:
        for step, report in enumerate(self._reports, 1):
            told = ReportShipment(
                at=call.at + step,
                fulfilment_id=call.fulfilment_id,
                report_id=f"{call.fulfilment_id}-{step}",
                report=report,
                code=str(step),
                waybill_no=waybill_no,
            )
            self.put(topics.TRACKING_COMMANDS.name, msgspec.json.encode(told), call.fulfilment_id)


def record(settings: Settings, plan: Plan, reports: int = 0) -> Recordings:
    """Send a plan through all stages until nothing waits. `reports` is how often a parcel's carrier reports."""
    log = _Log(settings, reports, time.time_ns() // 1_000_000)
    for key, value in plan.feed_records():
        log.put(topics.STOCK_COMMANDS.name, value, key)
    for sent in plan.scenario.records:
        log.put(topics.ORDERS_RAW.name, sent.value, sent.key, [("platform", sent.platform.encode())])
    deciding = [stage for stage in stages(settings) if isinstance(stage, DecidingStage)]
    at_work = [_AtWork(stage, log, settings) for stage in deciding]
    moved = True
    while moved:
        moved = any([work.run() for work in at_work])  # noqa: C419  every stage has its turn
        moved = log.call_carrier() or moved
    return Recordings([work.recorded() for work in at_work], log.events, log.calls)


class _AtWork:
    """A stage that reads and writes the topics in memory."""

    def __init__(self, stage: DecidingStage, log: _Log, settings: Settings) -> None:
        self._log = log
        self._batches: list[list[Record]] = []
        self._written: Counter[str] = Counter()
        self._bytes = 0
        self._deciding = Deciding(stage, self._produce, DEAD_LETTERS_MAX)
        self._tables: dict[int, PartitionTables] = defaultdict(lambda: PartitionTables(stage, settings.page_entries))

    def run(self) -> bool:
        """Work off what waits. Says whether anything did."""
        batches = list(self._log.take(self._deciding.stage.reads.name))
        for batch in batches:
            self._deciding.run(self._tables[batch[0].partition], batch)
        self._batches += batches
        return bool(batches)

    def recorded(self) -> Recorded:
        """Give the recording."""
        return Recorded(self._deciding.stage, self._batches, self._written, self._bytes)

    def _produce(self, topic: str, value: bytes | None, key: bytes | str | None, *_more: object) -> None:
        self._written[topic] += 1
        self._bytes += len(value or b"")
        self._log.put(topic, value, key)
