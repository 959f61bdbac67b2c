"""What a deployment remembers of many orders: the real stages and tables, folded over them in this process.

Every order goes the whole way: held, routed, its waybills issued, and then, while others come, its parcels collected,
moved and signed. The carrier is a number. Nothing goes over the wire, since nothing of that is remembered.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from agents import stages
from loadtest.recovery.murmur import partition_of
from loadtest.recovery.orders import repeat
from pipeline.domain.commands import Answer, CallCarrier, CallKind, RecordAnswer, Report, ReportShipment
from pipeline.domain.events import Event
from pipeline.domain.notes import Note
from pipeline.engine.deciding import routes
from pipeline.engine.stage import DecidingStage
from pipeline.engine.tables import PartitionTables
from pipeline.topics import STOCK_COMMANDS, TRACKING_COMMANDS, WAYBILL_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.recovery.orders import Window
    from pipeline.domain.commands import Command
    from pipeline.engine.restore import Partition
    from pipeline.settings import Settings

WAY = (Report.COLLECTED, Report.IN_TRANSIT, Report.OUT_FOR_DELIVERY, Report.SIGNED)
WAYBILL_DIGITS = 13
PARTITIONS_CACHED = 100_000


class Parcel(NamedTuple):
    """A parcel on its way."""

    fulfilment_id: str
    waybill_no: str


class Remembered:
    """The tables of all stages, after so many orders. `open_orders` is how many are on their way at any time."""

    def __init__(self, settings: Settings, open_orders: int) -> None:
        self._partitions = settings.partitions
        deciding = [stage for stage in stages(settings) if isinstance(stage, DecidingStage) and stage.tables]
        self._stages = {stage.reads.name: stage for stage in deciding}
        self._routes = {topic: routes(stage) for topic, stage in self._stages.items()}
        self.tables: dict[Partition, PartitionTables] = {
            (topic, number): PartitionTables(stage, settings.page_entries)
            for topic, stage in self._stages.items()
            for number in range(settings.partitions)
        }
        self._partition_of = lru_cache(PARTITIONS_CACHED)(lambda key: partition_of(key, settings.partitions))
        self._step_orders = max(1, open_orders // len(WAY))
        self._shipped: list[Parcel] = []
        self._waybills = 0

    def stage(self, topic: str) -> DecidingStage:
        """Give the stage that reads a topic."""
        return self._stages[topic]

    def fold(self, window: Window, orders: int) -> Iterator[int]:
        """Fold so many orders, and give the number after each one; those before the last ones have arrived."""
        for feed in window.feed:
            self._tell(STOCK_COMMANDS.name, feed.pool, feed)
        on_the_way: dict[int, list[Parcel]] = {}
        for number, submission in enumerate(repeat(window, orders)):
            self._shipped = on_the_way[number] = []
            self._tell("order.commands", submission.pool, submission)
            for step, report in enumerate(WAY, 1):
                sent = number - step * self._step_orders
                for parcel in on_the_way.get(sent, ()):
                    self._report(parcel, report, step, submission.at)
            on_the_way.pop(number - len(WAY) * self._step_orders, None)
            yield number + 1

    def _report(self, parcel: Parcel, report: Report, step: int, at: int) -> None:
        command = ReportShipment(
            at=at,
            fulfilment_id=parcel.fulfilment_id,
            report_id=f"{parcel.waybill_no[2:]}{step}",
            report=report,
            code=str(step),
            waybill_no=parcel.waybill_no,
        )
        self._tell(TRACKING_COMMANDS.name, parcel.fulfilment_id, command)

    def _tell(self, topic: str, key: str, command: Command) -> None:
        """Put a command to its stage, and what that asks for to the next ones, until nothing is asked any more."""
        waiting = deque([(topic, key, command)])
        while waiting:
            topic, key, command = waiting.popleft()
            stage, tables = self._stages[topic], self.tables[topic, self._partition_of(key)]
            if command.at > tables.watermark_ms:
                tables.advance(command.at, command.at)
            for answer in stage.decide(tables.state, command):
                if isinstance(answer, Event | Note):
                    stage.evolve(tables.state, answer)
                elif isinstance(answer, CallCarrier):
                    waiting.append((WAYBILL_COMMANDS.name, answer.fulfilment_id, self._call(answer)))
                else:
                    following, field = self._routes[topic][type(answer)]
                    if following in self._stages:
                        waiting.append((following, getattr(answer, field), answer))
            tables.turn_pages()

    def _call(self, call: CallCarrier) -> RecordAnswer:
        """Issue a waybill."""
        self._waybills += 1
        parcel = Parcel(call.fulfilment_id, f"SF{self._waybills:0{WAYBILL_DIGITS}d}")
        self._shipped.append(parcel)
        return RecordAnswer(
            at=call.at,
            fulfilment_id=call.fulfilment_id,
            key=call.key,
            kind=CallKind.CREATE,
            answer=Answer.OK,
            waybill_no=parcel.waybill_no,
        )
