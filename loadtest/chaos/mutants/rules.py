"""Mutants of the rules, and of what the stages' loop makes of their answers."""

from __future__ import annotations

import dataclasses
import logging
import os
import time
import uuid
from typing import TYPE_CHECKING, Any

import msgspec
import redis

import agents
from loadtest.chaos.patching import swap
from pipeline.domain.commands import SubmitOrder
from pipeline.domain.dedup import deciding as dedup
from pipeline.domain.dedup import doubts as dedup_doubts
from pipeline.domain.dedup.creation import create
from pipeline.domain.dedup.values import Parked
from pipeline.domain.events import OrderRepeated
from pipeline.domain.reservation import deciding as reservation
from pipeline.domain.reservation import state as reservation_state
from pipeline.domain.reservation.values import EMPTY, Balance
from pipeline.engine import clients, deciding
from pipeline.engine.deciding import Deciding
from pipeline.engine.outputs import ORDER_EVENTS
from pipeline.engine.transaction import Transaction
from pipeline.settings import read_settings
from pipeline.topics import changelog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.domain.dedup.values import Waiting
    from pipeline.domain.events import Event
    from pipeline.engine.stage import DecidingStage, Record
    from pipeline.engine.tables import PartitionTables

KEPT_BYTES = 20_000
encode = msgspec.msgpack.Encoder().encode
log = logging.getLogger(__name__)


# --- dedup ---


def marks_orders_first() -> None:
    """Write down that an order was seen before its outputs are committed, and not with them.

    After a crash in between the order comes again, is taken for a repeat, and nothing ever becomes of it (I4). The
    restore notices a changelog that goes on after its last checkpoint, and refuses (I10). Shown by kills under load.
    """
    producers: list[Any] = []

    def open_producer(fence: Callable[..., None]) -> Callable[..., None]:
        def _fence(self: Transaction) -> None:
            fence(self)
            producers[:] = [clients.producer(self._settings)]

        return _fence

    def mark(original: Callable[..., None]) -> Callable[..., None]:
        def run(self: Deciding, tables: PartitionTables, records: Sequence[Record]) -> None:
            original(self, tables, records)
            if self.stage.name != "dedup":
                return
            topic, orders = changelog("dedup").name, tables.paged[0]
            for key in [*orders.changed, *orders.written]:
                producers[0].produce(topic, encode(orders[key]), (orders.prefix + key).encode(), records[0].partition)
            producers[0].flush()

        return run

    swap(Transaction, "_fence", open_producer)
    swap(Deciding, "run", mark)


def drops_repeats() -> None:
    """Drop an order that was seen before, whatever it says by now.

    A payment or cancellation that it brings is lost (I4). The load alone shows it.
    """
    swap(dedup, "show_again", lambda _: lambda state, command, seen: ())  # noqa: ARG005


def asks_redis() -> None:
    """Believe Redis about which orders are known.

    After a crash an order counts as known of which nothing became (I4); an emptied Redis makes known ones new (I3, I4).
    Shown by kills under load, and by a Redis that is emptied.
    """

    def wrap(stage: DecidingStage) -> DecidingStage:
        settings = read_settings(os.environ, needs=("redis",))
        marks = redis.Redis.from_url(settings.redis)

        def decide(state: Any, command: Any) -> Any:  # noqa: ANN401  dedup's
            if not isinstance(command, SubmitOrder):
                return stage.decide(state, command)
            order_id = command.order.internal_order_id
            is_new = marks.set(f"seen:{order_id}", 1, nx=True)
            if is_new and order_id in state.orders:
                return create(state, command, Parked())
            if is_new or order_id in state.orders:
                return stage.decide(state, command)
            return (OrderRepeated(order_id=order_id, at=command.at, kind="submit"),)

        return dataclasses.replace(stage, decide=decide)

    swap(agents, "DEDUP", wrap)


def personal_evidence() -> None:
    """Put the receiver's phone into the evidence of a doubt, which goes to order.events and ClickHouse.

    Personal data where none may be (I12). The load alone shows it.
    """

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def _own(state: Any, waiting: Waiting, look: Any) -> Any:  # noqa: ANN401  dedup's
            for doubt in original(state, waiting, look):
                to = waiting.ship_to
                yield doubt._replace(evidence=f"{doubt.evidence}, phone {to.phone}, name {to.name}")

        return _own

    swap(dedup_doubts, "_own", wrap)


# --- reservation ---


def ignores_what_is_held() -> None:
    """Hold what is on hand, whether or not it is held for somebody else.

    The tables' own check (held <= on hand) notices, and the worker stops (I10). The load alone shows it.
    """

    def wrap(place: Callable[..., Any]) -> Callable[..., Any]:
        def _place(state: Any, command: Any) -> Any:  # noqa: ANN401  reservation's
            keys = [f"{command.pool}|{unit.sku}" for unit in command.units]
            free = {key: Balance(state.stock.get(key, EMPTY).on_hand, 0) for key in keys if key in state.stock}
            return place(dataclasses.replace(state, stock=free), command)

        return _place

    swap(reservation, "_place", wrap)


def unchecked_balances() -> None:
    """Let a balance be whatever it becomes: more held than on hand, or less than nothing."""
    swap(reservation_state, "_change", lambda _: _change)


def _change(state: Any, pool: str, units: Any, on_hand: int, held: int) -> None:  # noqa: ANN401  reservation's
    for unit in units:
        before = state.stock.get(f"{pool}|{unit.sku}", EMPTY)
        state.stock[f"{pool}|{unit.sku}"] = Balance(
            before.on_hand + on_hand * unit.units, before.held + held * unit.units
        )


def releases_twice() -> None:
    """Count units that are released twice.

    They are free that are still held for others: the balance is wrong (I1, I8), and they are sold again (I2). Shown by
    orders that are cancelled while their units are held; the load has some.
    """

    def wrap(_: Callable[..., None]) -> Callable[..., None]:
        def changed(state: Any, pool: str, units: Any, on_hand: int, held: int) -> None:  # noqa: ANN401  reservation's
            is_release = (on_hand, held) == (0, -1)
            _change(state, pool, units, on_hand, 2 * held if is_release else held)

        return changed

    swap(reservation_state, "_change", wrap)


def decides_by_the_clock() -> None:
    """Take the time of reservation's answers from this machine's clock, and not from the record.

    The same record gives another answer when it is processed again (I14). Any replay shows it.
    """

    def wrap(stage: DecidingStage) -> DecidingStage:
        def decide(state: Any, command: Any) -> Any:  # noqa: ANN401  reservation's
            now_ms = time.time_ns() // 1_000_000
            return [msgspec.structs.replace(answer, at=now_ms) for answer in stage.decide(state, command)]

        return dataclasses.replace(stage, decide=decide)

    swap(agents, "RESERVATION", wrap)


# --- the loop ---


def random_event_ids() -> None:
    """Give events ids by chance, instead of from their causes.

    A reader cannot tell a repeat any more, and a replay gives other events (I6, I14). Any replay shows it.
    """

    def wrap(original: Callable[..., bytes]) -> Callable[..., bytes]:
        def event_json(stage: str, cause: str, index: int, event: Event) -> bytes:
            wanted, by_chance = f'"id":"{cause}-{index}"'.encode(), f'"id":"{uuid.uuid4().hex}-{index}"'.encode()
            return original(stage, cause, index, event).replace(wanted, by_chance)

        return event_json

    swap(deciding, "event_json", wrap)


def events_by_chance() -> None:
    """Key events by themselves, and not by their order.

    An order's events are in several partitions, in no order (I7). The load alone shows it.
    """

    def wrap(fence: Callable[..., None]) -> Callable[..., None]:
        def _fence(self: Transaction) -> None:
            fence(self)
            inner = self.produce

            def produce(*arguments: Any, **named: Any) -> None:  # noqa: ANN401  the producer's
                topic, value, key, *rest = arguments
                inner(topic, value, uuid.uuid4().hex if topic == ORDER_EVENTS else key, *rest, **named)

            self.produce = produce

        return _fence

    swap(Transaction, "_fence", wrap)


def drops_bad_records() -> None:
    """Go on after a record that cannot be understood, without a dead letter.

    Nobody ever learns what became of it (I4). Hostile records show it.
    """
    swap(deciding, "bury", lambda _: lambda produce, stage, record, error: None)  # noqa: ARG005


def logs_records() -> None:
    """Write the records that come into the log.

    Names, phones and addresses in a file that anybody reads (I12). The load alone shows it.
    """

    def wrap(original: Callable[..., None]) -> Callable[..., None]:
        def run(self: Deciding, tables: PartitionTables, records: Sequence[Record]) -> None:
            for record in records:
                log.info("%s: %s", record.source, (record.value or b"").decode(errors="replace"))
            original(self, tables, records)

        return run

    swap(Deciding, "run", wrap)


def keeps_everything() -> None:
    """Keep something of every record for ever.

    Memory grows with what was processed, and not with what is open (I11).
    """
    kept: list[bytearray] = []

    def wrap(original: Callable[..., None]) -> Callable[..., None]:
        def run(self: Deciding, tables: PartitionTables, records: Sequence[Record]) -> None:
            kept.extend(bytearray(os.urandom(KEPT_BYTES)) for _ in records)
            original(self, tables, records)

        return run

    swap(Deciding, "run", wrap)
