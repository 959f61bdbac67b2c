"""The whole flow in memory: every stage's rules, joined by the topics that they write, and a carrier that misbehaves.

Each topic is one queue, as one partition is: its records stay in order, and which topic goes next is chance. Every
command goes over the wire as JSON.
"""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from agents import stages
from pipeline.domain.commands import (
    Answer,
    CallCarrier,
    CallKind,
    Command,
    RecordAnswer,
    Report,
    ReportShipment,
)
from pipeline.engine.stage import CallingStage, DecidingStage, Record
from pipeline.settings import Settings
from pipeline.topics import ORDERS_REVIEW, TRACKING_COMMANDS, WAYBILL_COMMANDS
from tests.domain.folding import Folded, requests

if TYPE_CHECKING:
    import random

    from pipeline.domain.orders import SkuUnits
    from pipeline.topics import Topic

JOURNEY = (Report.COLLECTED, Report.IN_TRANSIT, Report.OUT_FOR_DELIVERY, Report.SIGNED)


@dataclass
class Parcel:
    """What the carrier has in its book under a key."""

    waybill_no: str
    units: tuple[SkuUnits, ...]
    voided: bool = False
    reported: int = 0

    @property
    def collected(self) -> bool:
        return self.reported > 0


@dataclass
class Carrier:
    """A carrier: one waybill a key. It may lose a call or an answer, and refuses what it does not like."""

    chance: random.Random
    trouble_share: float
    refuse_share: float
    book: dict[str, Parcel] = field(default_factory=dict)

    def call(self, command: CallCarrier) -> list[RecordAnswer]:
        """Answer a call; now and then twice, as after a crash of the caller."""
        trouble = self.chance.random() < self.trouble_share
        if trouble and self.chance.random() < 0.5:
            return [self._answer(command, Answer.UNKNOWN)]
        answer = self._act(command)
        if trouble:
            return [self._answer(command, Answer.UNKNOWN)] * self.chance.choice((1, 2))
        return [answer] * self.chance.choice((1, 1, 2))

    def _act(self, command: CallCarrier) -> RecordAnswer:
        parcel = self.book.get(command.key)
        if command.kind is CallKind.CREATE and parcel is None:
            if zlib.crc32(command.key.encode()) % 100 < self.refuse_share * 100:
                return self._answer(command, Answer.REFUSED)
            parcel = self.book[command.key] = Parcel(f"SF-{command.key}", command.units)
        if parcel is None:
            return self._answer(command, Answer.ABSENT)
        if command.kind is CallKind.VOID:
            parcel.voided = parcel.voided or not parcel.collected
            return self._answer(command, Answer.OK if parcel.voided else Answer.REFUSED)
        return self._answer(command, Answer.REFUSED if parcel.voided else Answer.OK, parcel.waybill_no)

    def _answer(self, command: CallCarrier, answer: Answer, waybill_no: str = "") -> RecordAnswer:
        return RecordAnswer(
            at=command.at,
            fulfilment_id=command.fulfilment_id,
            key=command.key,
            kind=command.kind,
            answer=answer,
            waybill_no=waybill_no if answer is Answer.OK else "",
            reason="",
        )

    def report(self) -> list[ReportShipment]:
        """Move some parcel on, and report it; now and then late, or twice."""
        waiting = [key for key, parcel in self.book.items() if not parcel.voided and parcel.reported < len(JOURNEY)]
        if not waiting:
            return []
        key = self.chance.choice(waiting)
        parcel = self.book[key]
        parcel.reported += 1
        reports = [
            self._report(key, parcel, step) for step in {parcel.reported, self.chance.randint(1, parcel.reported)}
        ]
        self.chance.shuffle(reports)
        return reports

    def _report(self, key: str, parcel: Parcel, step: int) -> ReportShipment:
        return ReportShipment(
            at=step,
            fulfilment_id=key,
            report_id=f"{key}-{step}",
            report=JOURNEY[step - 1],
            code=str(step),
            waybill_no=parcel.waybill_no,
        )


class Flow:
    """All stages and the carrier. `send` puts a record into a topic, `run` works until nothing is left to do."""

    def __init__(self, chance: random.Random, carrier: Carrier) -> None:
        self.chance = chance
        self.carrier = carrier
        self.map = {stage.reads: stage for stage in stages(Settings())}
        self.folded = {stage.name: Folded(stage) for stage in self.map.values() if isinstance(stage, DecidingStage)}
        self.queues: dict[Topic, deque[bytes]] = {topic: deque() for topic in (*self.map, ORDERS_REVIEW)}

    def send(self, topic: Topic, message: Command | bytes) -> None:
        """Put a record into a topic."""
        self.queues[topic].append(message if isinstance(message, bytes) else msgspec.json.encode(message))

    def run(self, steps: int | None = None) -> None:
        """Work: so many steps, or until all queues are empty and all parcels have arrived."""
        done = 0
        while steps is None or done < steps:
            done += 1
            waiting = [topic for topic, queue in self.queues.items() if queue and topic is not ORDERS_REVIEW]
            reports = self.carrier.report() if not waiting or self.chance.random() < 0.1 else []
            for report in reports:
                self.send(TRACKING_COMMANDS, report)
            if waiting:
                self._step(self.chance.choice(waiting))
            elif not reports:
                return

    def _step(self, topic: Topic) -> None:
        stage = self.map[topic]
        record = Record(topic.name, 0, 0, 0, b"", self.queues[topic].popleft(), ())
        for command in stage.decode(record):
            if isinstance(stage, CallingStage):
                for answer in self.carrier.call(command):
                    self.send(WAYBILL_COMMANDS, answer)
            else:
                for request in requests(self.folded[stage.name].tell(command)):
                    self.send(stage.writes[type(request)], request)

    def state(self, name: str) -> Any:  # noqa: ANN401  each stage has its own
        """Give a stage's state."""
        return self.folded[name].state
