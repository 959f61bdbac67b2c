"""A small run in which all is well: two pools' worth of outcomes, one order each."""

from __future__ import annotations

from dataclasses import replace
from hashlib import md5
from typing import TYPE_CHECKING

import pytest

from loadtest.oracle.emitted import fact
from loadtest.oracle.history import BookEntry, Delivery, Fact, History, Letter, RawMessage, StoredPartition
from loadtest.oracle.traces import Ack, FailpointLine, FaultLine, Faults, ReplayedStage, Sample
from loadtest.oracle.verdict import CHECKS
from tests.loadtest.oracle import recording

if TYPE_CHECKING:
    from collections.abc import Sequence

WRITTEN = frozenset({"raw", "feed", "facts", "letters", "reviews", "book", "stored"})
"""What the written history has; the recorded one has the rest too."""
EVENTS = {
    "OrderCreated": ("order.commands", "received", "await_pay"),
    "OrderPaid": ("order.commands", "await_pay", "paid"),
    "OrderHeldForReview": ("order.commands", "await_pay", "in_review"),
    "OrderCancelled": ("order.commands", "await_pay", "cancelled"),
    "HoldPlaced": ("stock.commands", "paid", "locked"),
    "HoldRefused": ("stock.commands", "paid", "refused"),
    "OrderRouted": ("routing.commands", "locked", "routed"),
    "RerouteStarted": ("routing.commands", "allocated", "rerouting"),
    "PartRerouted": ("routing.commands", "rerouting", "allocated"),
    "FulfilmentStopped": ("waybill.commands", "claimed", "cancelled"),
    "WaybillClaimed": ("waybill.commands", "planned", "claimed"),
    "WaybillIssued": ("waybill.commands", "claimed", "issued"),
    "FulfilmentCancelled": ("waybill.commands", "claimed", "cancelled"),
    "ShipmentTracked": ("tracking.commands", "issued", "waiting"),
    "ShipmentMoved": ("tracking.commands", "waiting", "signed"),
}
"""The topic that causes an event, and the states that it leads from and to."""
POOL = "east"
PARTITION = 0


class Writer:
    # Writes the log of a run, record after record.
    def __init__(self) -> None:
        self.raw: list[RawMessage] = []
        self.facts: list[Fact] = []
        self.book: list[BookEntry] = []
        self._stock_offset = 100
        self._inner_offset = 0

    def sends(self, order_id: str, kind: str = "order", expect: tuple[str, ...] = (), **units: int) -> str:
        # A shop sends a record that is understood.
        source = f"orders.raw-0-{len(self.raw)}"
        self.raw.append(RawMessage(source, kind, order_id, 1000, expect, units))
        self.emits("OrderReceived", order_id, cause=source)
        return source

    def emits(self, event: str, order_id: str, *, cause: str = "", **body: object) -> None:
        # A stage emits an event for a record of its own.
        topic, came_from, to = EVENTS.get(event, ("order.commands", "", ""))
        body = {"from": came_from, "to": to, **body}
        if not cause:
            self._inner_offset += 1
            cause = f"{topic}-0-{self._inner_offset}"
        offset = len(self.facts)
        known = {"id": f"{cause}-0", "event": event, "order_id": order_id, "cause": cause}
        self.facts.append(fact(known | body, PARTITION, offset, 2000 + offset))

    def stock(self, event: str, order_id: str, **body: object) -> None:
        """Reservation answers a stock command."""
        self._stock_offset += 1
        self.emits(event, order_id, cause=f"stock.commands-0-{self._stock_offset}", pool=POOL, **body)

    def holds(self, order_id: str, parts: dict[str, dict[str, int]]) -> None:
        # An order is paid, held and routed in parts.
        total: dict[str, int] = {}
        for units in parts.values():
            for sku, count in units.items():
                total[sku] = total.get(sku, 0) + count
        self.emits("OrderCreated", order_id)
        self.emits("OrderPaid", order_id)
        self.stock("HoldPlaced", order_id, units=list(total.items()))
        routed = [{"fulfilment_id": name, "units": list(units.items())} for name, units in parts.items()]
        self.emits("OrderRouted", order_id, parts=routed)

    def ships(self, order_id: str, fulfilment_id: str, **units: int) -> None:
        # A part of an order gets its waybill, leaves and is signed for.
        number = f"SF-{fulfilment_id}"
        self.book.append(BookEntry("accepted", fulfilment_id, number))
        self.emits("WaybillClaimed", order_id, fulfilment_id=fulfilment_id)
        self.emits("WaybillIssued", order_id, fulfilment_id=fulfilment_id, waybill_no=number)
        self.emits("ShipmentTracked", order_id, fulfilment_id=fulfilment_id)
        self.emits("ShipmentMoved", order_id, fulfilment_id=fulfilment_id)
        self.stock("HoldConsumed", order_id, fulfilment_id=fulfilment_id, units=list(units.items()))

    def stored(self) -> Sequence[StoredPartition]:
        # ClickHouse has it all.
        digests = sum(int.from_bytes(md5(fact.event_id.encode()).digest()[:8]) for fact in self.facts)  # noqa: S324
        return [StoredPartition(PARTITION, len(self.facts), len(self.facts), len(self.facts) - 1, digests % (1 << 64))]


def _write() -> Writer:
    run = Writer()
    feed = {"pool": POOL, "feed_id": "f1"}
    run.emits("StockReceived", "", cause="stock.commands-0-1", **feed)
    run.sends("plain", a=2)
    run.holds("plain", {"plain-1": {"a": 2}})
    run.ships("plain", "plain-1", a=2)
    run.sends("split", a=1, b=3)
    run.holds("split", {"split-1": {"a": 1}, "split-2": {"b": 3}})
    run.ships("split", "split-1", a=1)
    run.ships("split", "split-2", b=3)
    run.sends("short", b=50)
    run.emits("OrderCreated", "short")
    run.emits("OrderPaid", "short")
    run.stock("HoldRefused", "short")
    run.sends("unpaid", a=1, expect=("cancelled",))
    run.emits("OrderCreated", "unpaid")
    run.sends("unpaid", "cancellation")
    run.emits("OrderCancelled", "unpaid")
    run.sends("doubtful", a=1)
    run.emits("OrderCreated", "doubtful")
    run.emits("OrderHeldForReview", "doubtful")
    _write_stopped(run)
    _write_moved(run)
    return run


def _write_stopped(run: Writer) -> None:
    run.sends("stopped", a=1)
    run.holds("stopped", {"stopped-1": {"a": 1}})
    run.book.append(BookEntry("accepted", "stopped-1", "SF-stopped-1"))
    run.sends("stopped", "cancellation")
    run.book.append(BookEntry("cancelled", "stopped-1", ""))
    run.emits("WaybillClaimed", "stopped", fulfilment_id="stopped-1")
    run.emits("FulfilmentCancelled", "stopped", fulfilment_id="stopped-1")
    run.stock("HoldReleased", "stopped", fulfilment_id="stopped-1", units=[["a", 1]])
    run.stock("OrderCancelled", "stopped")
    run.sends("waiting", a=1)
    run.emits("OrderCreated", "waiting")


def _write_moved(run: Writer) -> None:
    """Write of an order whose warehouse closed: two others shipped it."""
    run.sends("moved", a=2)
    run.holds("moved", {"moved-1": {"a": 2}})
    again = [
        {"fulfilment_id": name, "units": [("a", 1)], "paid_minor": paid}
        for name, paid in (("moved-10001", 5), ("moved-110001", -5))
    ]
    run.emits("RerouteStarted", "moved", fulfilment_id="moved-1", new_parts=again)
    run.emits("WaybillClaimed", "moved", fulfilment_id="moved-1")
    run.emits("FulfilmentStopped", "moved", fulfilment_id="moved-1")
    run.emits("PartRerouted", "moved", fulfilment_id="moved-1", new_parts=again)
    for part in again:
        run.ships("moved", str(part["fulfilment_id"]), a=1)


@pytest.fixture
def good() -> History:
    # A history in which every order has its one outcome, and one record is a dead letter.
    run = _write()
    broken = RawMessage(f"orders.raw-0-{len(run.raw)}", "", "", 1000, ("dead_letter",), {})
    return History(
        raw=[*run.raw, broken],
        feed=[Delivery("stock.commands-0-1", POOL, "f1", (("a", 6), ("b", 3)))],
        facts=run.facts,
        letters=[Letter(broken.source, "MALFORMED")],
        reviews=["doubtful"],
        book=run.book,
        stored=run.stored(),
        absent=frozenset({source for check in CHECKS for source in check.needs}) - WRITTEN,
    )


@pytest.fixture(scope="session")
def recorded() -> History:
    # A recorded run, with what a chaos run around it would have noted.
    history = recording.load()
    acks = [Ack(*_place(message.source), message.key) for message in history.raw]
    fault = FaultLine(1, "worker-kill", hit=True)
    lost = FaultLine(2, "carrier-lost", hit=True)
    zombie = FaultLine(3, "zombie", hit=True, counts={"fenced": 1})
    failpoint = FaultLine(4, "failpoint:commit.before", hit=True)
    kills = [FaultLine(number, "worker-kill", hit=True) for number in range(5, 12)]
    samples = [
        Sample(second * 1000, "worker-0", 7, 200_000_000 + second * 1000, {"orders": 10, "holds": 5})
        for second in range(0, 400, 2)
    ]
    return replace(
        history,
        acks=acks,
        faults=Faults((fault, lost, zombie, failpoint, *kills), (FailpointLine("commit.before", 7, 1),)),
        samples=samples,
        replay=[ReplayedStage("dedup", 100, 200, 0)],
        book=[history.book[0]._replace(answered=False), *history.book[1:]],
        aborted=5,
    )


def _place(source: str) -> tuple[str, int, int]:
    topic, partition, offset = source.rsplit("-", 2)
    return topic, int(partition), int(offset)
