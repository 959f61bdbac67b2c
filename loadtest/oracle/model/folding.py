"""Fold every stage's commands with the model, and compare what must have come of each with what did."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from loadtest.oracle.model import dedup, reservation, routing, tracking, waybill
from loadtest.oracle.model.answers import Answers, Asked, Told, units_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from loadtest.oracle.history import Fact, History
    from loadtest.oracle.model.answers import Command, Tables


class StageModel(NamedTuple):
    """A stage: its name, the topic that it reads, its tables, and what folds a command of it."""

    name: str
    reads: str
    tables: Sequence[str]
    fold: Callable[[Tables, Command, Answers], None]


MODELS = (
    StageModel("dedup", "order.commands", dedup.TABLES, dedup.fold),
    StageModel("reservation", "stock.commands", reservation.TABLES, reservation.fold),
    StageModel("routing", "routing.commands", routing.TABLES, routing.fold),
    StageModel("waybill", "waybill.commands", waybill.TABLES, waybill.fold),
    StageModel("tracking", "tracking.commands", tracking.TABLES, tracking.fold),
)
RAW_TOPIC, CALLS_TOPIC = "orders.raw", "carrier.calls"
FROM_OUTSIDE = frozenset(
    {
        *("RegisterWarehouse", "ReceiveStock", "AdjustStock", "CountStock", "ReportShipment", "Tick"),
        *("AnnounceInbound", "CloseInbound", "TransferStock", "OpenFlash", "DefineBundle", "SetSafety"),
        *("SetRoutingPlan", "DescribeSkus", "WithdrawWarehouse", "ScanItem", "ScanOutbound"),
        *("SetRules", "SetOrderPolicy", "ClaimReview", "DecideReview", "DecideRefund", "ConfirmRefund"),
        *("ReviewAgain", "DecideHold"),
    }
)
"""The commands that nobody in the pipeline asks for."""
ORDER_NEWS = frozenset(
    {
        *("SubmitOrder", "PayOrder", "CancelOrder"),
        *("ChangeAddress", "ExpediteOrder", "TrimOrder", "RequestRefund"),
    }
)


class Folded:
    """What the model makes of a history."""

    def __init__(self) -> None:
        self.records = 0
        self.tables: dict[tuple[str, int], Tables] = {}
        """By stage and partition."""
        self.peaks: Counter[str] = Counter()
        """The most entries of each table at once, over its partitions."""
        self.asked: Counter[Asked] = Counter()
        """The commands that must have been asked for, less those that were."""
        self.wrong: list[str] = []
        """Records that were not answered as they must be."""
        self.beyond: list[str] = []
        """Events of records that count as not yet read."""

    def want(self, asked: Asked, times: int) -> None:
        """Note a command that must be asked for, or (below 0) one that was; what is settled is forgotten."""
        left = self.asked[asked] + times
        if left:
            self.asked[asked] = left
        else:
            del self.asked[asked]


@lru_cache(maxsize=1)
def folded(history: History) -> Folded:
    """Fold a history."""
    found = Folded()
    by_cause = _by_cause(history.facts)
    _fold_raw(history, by_cause, found)
    for model in MODELS:
        _fold_stage(model, history, by_cause, found)
    _fold_calls(history, found)
    found.asked.subtract(Counter(("RequestReview", order_id, "") for order_id in history.reviews))
    for cause, facts in by_cause.items():
        found.beyond.extend(f"event {fact.event_id}: its record {cause} counts as not yet read" for fact in facts)
    return found


def _by_cause(facts: Sequence[Fact]) -> dict[str, list[Fact]]:
    """Group events by their cause, each event once, by their place in the answer."""
    found: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        found[fact.cause].append(fact)
    for answers in found.values():
        if len(answers) > 1:
            once = {fact.event_id: fact for fact in reversed(answers)}
            answers[:] = sorted(once.values(), key=lambda fact: (len(fact.event_id), fact.event_id))
    return found


def _fold_raw(history: History, by_cause: dict[str, list[Fact]], found: Folded) -> None:
    """Ingest: each record becomes one event and one command; which, the check of the shops' records judges."""
    for message in history.raw:
        _, partition, offset = message.source.rsplit("-", 2)
        if int(offset) >= history.offsets.get((RAW_TOPIC, int(partition)), 0):
            if message.source in history.dead_sources:
                found.beyond.append(f"dead letter of {message.source}: the record counts as not yet read")
            continue
        facts = by_cause.pop(message.source, [])
        found.records += 1
        if facts and facts[0].event == "OrderReceived" and message.source not in history.dead_sources:
            found.want(("news", facts.pop(0).order_id, ""), 1)
        elif not facts and message.source not in history.dead_sources:
            found.wrong.append(f"{message.source}: neither understood nor a dead letter")
        for fact in facts:
            found.wrong.append(f"{message.source}: answered with {fact.event} too ({fact.event_id})")


def _fold_stage(model: StageModel, history: History, by_cause: dict[str, list[Fact]], found: Folded) -> None:
    peaks: Counter[tuple[str, int]] = Counter()
    changelogs = {number: log for (stage, number), log in history.changelogs.items() if stage == model.name}
    forgotten = {number: log.forgotten_ms.get("receivers", 0) for number, log in changelogs.items()}
    for record in history.inputs.get(model.reads, ()):
        source = f"{model.reads}-{record.partition}-{record.offset}"
        try:
            command = orjson.loads(record.value)
            _note_asked(command, found)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            command = {}
        if record.offset >= history.offsets.get((model.reads, record.partition), 0):
            continue
        found.records += 1
        tables = found.tables.setdefault((model.name, record.partition), {name: {} for name in model.tables})
        facts = by_cause.pop(source, [])
        answers = Answers(_routed(facts), _rerouted(facts))
        answers.forgotten_ms, answers.twins = forgotten.get(record.partition, 0), _twins(facts)
        try:
            model.fold(tables, command, answers)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            if source not in history.dead_sources:
                found.wrong.append(f"{source}: the model cannot fold it: {error!r}")
        for asked in answers.asked:
            found.want(asked, 1)
        found.wrong.extend(_differences(source, facts, answers))
        for name in model.tables:
            peaks[name, record.partition] = max(peaks[name, record.partition], len(tables[name]))
    for (name, _), entries in peaks.items():
        found.peaks[name] += entries


def _routed(facts: Sequence[Fact]) -> Mapping[str, Any] | None:
    return next((fact.body for fact in facts if fact.event == "OrderRouted"), None)


def _rerouted(facts: Sequence[Fact]) -> list[Mapping[str, Any]]:
    return [fact.body for fact in facts if fact.event == "RerouteStarted"]


def _twins(facts: Sequence[Fact]) -> frozenset[str]:
    return frozenset([fact.body["twin"] for fact in facts if fact.body.get("twin")])


def _differences(source: str, facts: Sequence[Fact], answers: Answers) -> Iterator[str]:
    """Say how what came of a record differs from what must have come of it."""
    found: list[Told] = [(fact.event, fact.order_id, fact.to) for fact in facts]
    if found != answers.told:
        yield f"{source}: answered with {_words(found)} instead of {_words(answers.told)}"
    for place, fact in enumerate(facts):
        if fact.event_id != f"{source}-{place}":
            yield f"{source}: its event number {place} has the id {fact.event_id}"
    for objection in answers.objections:
        yield f"{source}: {objection}"


def _words(told: Sequence[Told]) -> str:
    return " and ".join(f"{event} ({order_id} → {to})" for event, order_id, to in told) or "nothing"


def _note_asked(command: Command, found: Folded) -> None:
    """Take a command that is in a topic from those that must be."""
    name = command["command"]
    if name in FROM_OUTSIDE:
        return
    found.want(name_asked(name, command), -1)


def _name_counted(name: str, command: Command) -> Asked:
    """Give a command about a count as the model tells it."""
    if name == "SettleCount":
        return name, f"{command['pool']}|{command['feed_id']}", str(command["applied"])
    found = command["counted_units"] if name == "CountShelf" else command["change_units"]
    return name, f"{command['pool']}|{command['warehouse']}", units_text([[command["sku"], found]])


def name_asked(name: str, command: Command) -> Asked:
    """Give a command as the model tells it."""
    if name in ORDER_NEWS:
        return "news", command["order"]["internal_order_id"] if name == "SubmitOrder" else command["order_id"], ""
    if name in {"CountShelf", "CorrectStock", "SettleCount"}:
        return _name_counted(name, command)
    if name in {"OpenWarehouse", "StockShelf", "CloseWarehouse"}:
        return name, f"{command['pool']}|{command['warehouse']}", units_text(command.get("units", ()))
    if name in {"CallCarrier", "RecordAnswer", "ReportStop"}:
        return name, command["fulfilment_id"], str(command["stopped"] if name == "ReportStop" else command["kind"])
    about = command.get("fulfilment_id") or command.get("order_id") or command["pool"]
    if name in {"IssueWaybill", "CancelFulfilment", "TrackShipment"}:
        return name, about, units_text(command["fulfilment"]["units"])
    return name, about, units_text(command.get("units", ()))


def _fold_calls(history: History, found: Folded) -> None:
    """Carrier calls: each call that counts as made has one answer in the log."""
    for record in history.inputs.get(CALLS_TOPIC, ()):
        command = orjson.loads(record.value)
        _note_asked(command, found)
        if record.offset < history.offsets.get((CALLS_TOPIC, record.partition), 0):
            found.records += 1
            found.want(("RecordAnswer", command["fulfilment_id"], command["kind"]), 1)
