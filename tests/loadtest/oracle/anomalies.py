"""Anomalies to put into the recorded run, one each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from loadtest.oracle.history import BookEntry, Fact, History, Letter
from loadtest.oracle.traces import Ack, FaultLine, Faults, Leak

Change = Callable[[History], History]


def first(history: History, *events: str) -> Fact:
    return next(fact for fact in history.facts if fact.event in events)


def lose(event: str) -> Change:
    # An event is not in the log: a transaction of two outputs is torn.
    def change(history: History) -> History:
        gone = first(history, event)
        return replace(history, facts=[fact for fact in history.facts if fact is not gone])

    return change


def edit(which: str, **changed: Any) -> Change:  # noqa: ANN401 - any field of a fact
    def change(history: History) -> History:
        old = first(history, which)
        return replace(history, facts=[fact._replace(**changed) if fact is old else fact for fact in history.facts])

    return change


def swap(*events: str) -> Change:
    # Two events of one order change places in the log.
    def change(history: History) -> History:
        one = first(history, events[0])
        other = next(fact for fact in history.facts if (fact.event, fact.order_id) == (events[1], one.order_id))
        exchange = {one.event_id: other, other.event_id: one}
        return replace(history, facts=[exchange.get(fact.event_id, fact) for fact in history.facts])

    return change


def twice(history: History) -> History:
    return replace(history, facts=[*history.facts, history.facts[10]])


def resurrect(history: History) -> History:
    # A hold that was released is placed once more.
    released = first(history, "HoldReleased")
    placed = next(f for f in history.facts if (f.event, f.order_id) == ("HoldPlaced", released.order_id))
    cause = "stock.commands-0-99999"
    return replace(history, facts=[*history.facts, placed._replace(event_id=f"{cause}-0", cause=cause)])


def oversettle(history: History) -> History:
    # Units are released of an order that was refused.
    refused = first(history, "HoldRefused")
    released = first(history, "HoldReleased")
    cause = "stock.commands-0-99999"
    wrong = released._replace(event_id=f"{cause}-0", cause=cause, order_id=refused.order_id)
    return replace(history, facts=[*history.facts, wrong])


def keep_back(history: History) -> History:
    # A flash sale ends, and not all that is left of it comes back.
    placed, facts = first(history, "HoldPlaced"), []
    for number, (event, units) in enumerate((("FlashOpened", 5), ("FlashClosed", 4))):
        cause = f"stock.commands-0-{99_990 + number}"
        body = {"pool": placed.body["pool"], "sku": "flashed", "units": units, "flash_id": "618"}
        facts.append(placed._replace(event_id=f"{cause}-0", cause=cause, event=event, order_id="", body=body))
    return replace(history, facts=[*history.facts, *facts])


def drop_input(topic: str, command: bytes) -> Change:
    # A command that was asked for never came into its topic.
    def change(history: History) -> History:
        records = list(history.inputs[topic])
        records.remove(next(record for record in records if command in record.value))
        return replace(history, inputs={**history.inputs, topic: records})

    return change


def copy_input(topic: str, command: bytes) -> Change:
    # A command is in its topic twice.
    def change(history: History) -> History:
        records = history.inputs[topic]
        record = next(record for record in records if command in record.value)
        again = record._replace(offset=1 + max(each.offset for each in records))
        return replace(history, inputs={**history.inputs, topic: [*records, again]})

    return change


def move_offset(topic: str, by: int) -> Change:
    # The group's offset of one partition that was read is another.
    def change(history: History) -> History:
        place = next(place for place, offset in history.offsets.items() if place[0] == topic and offset > abs(by))
        return replace(history, offsets={**history.offsets, place: history.offsets[place] + by})

    return change


def changelog(stage: str, table: str, entry: object = None) -> Change:
    # An entry of a table is another; None: it is gone.
    def change(history: History) -> History:
        place = next(
            p
            for p, log in history.changelogs.items()
            if p[0] == stage and any(k.startswith(table) for k in log.entries)
        )
        entries = dict(history.changelogs[place].entries)
        key = next(key for key in entries if key.startswith(table))
        if entry is None:
            del entries[key]
        else:
            entries[key] = msgspec.msgpack.encode(entry)
        changed = history.changelogs[place]._replace(entries=entries)
        return replace(history, changelogs={**history.changelogs, place: changed})

    return change


def extra_entry(history: History) -> History:
    place = ("reservation", 0)
    log = history.changelogs[place]
    entries = {**log.entries, "holds:nobody": msgspec.msgpack.encode(["locked", [], [], []])}
    return replace(history, changelogs={**history.changelogs, place: log._replace(entries=entries)})


def odd_record(history: History) -> History:
    place = ("dedup", 0)
    log = history.changelogs[place]
    return replace(history, changelogs={**history.changelogs, place: log._replace(odd=("!what: unknown",))})


def checkpoint(history: History) -> History:
    place = next(place for place, log in history.changelogs.items() if log.next_offset > 0)
    log = history.changelogs[place]
    changed = log._replace(next_offset=log.next_offset - 1)
    return replace(history, changelogs={**history.changelogs, place: changed})


def place(**changed: str) -> Change:
    # Redis says something else of an order.
    def change(history: History) -> History:
        order_id = next(iter(history.places))
        return replace(history, places={**history.places, order_id: {**history.places[order_id], **changed}})

    return change


def place_lost(history: History) -> History:
    return replace(history, places=dict(list(history.places.items())[1:]))


def place_foreign(history: History) -> History:
    return replace(history, places={**history.places, "nobody": {"offset": "1"}})


def stored(**by: int) -> Change:
    def change(history: History) -> History:
        row = history.stored[0]
        wrong = row._replace(**{name: getattr(row, name) + number for name, number in by.items()})
        return replace(history, stored=[wrong, *history.stored[1:]])

    return change


def funnel(history: History) -> History:
    return replace(history, funnel={**history.funnel, "signed": history.funnel["signed"] - 1})


def minutes(history: History) -> History:
    key = next(iter(history.minutes))
    return replace(history, minutes={**history.minutes, key: history.minutes[key] + 1})


def open_transaction(history: History) -> History:
    end = history.ends[0]
    return replace(history, ends=[end._replace(high=end.high + 3), *history.ends[1:]])


def growing(history: History) -> History:
    samples = [msgspec.structs.replace(one, rss_bytes=one.rss_bytes + 1000 * one.at_ms) for one in history.samples]
    return replace(history, samples=samples)


def overgrown(history: History) -> History:
    return replace(history, samples=[msgspec.structs.replace(history.samples[0], entries={"holds": 100_000})])


def flood(history: History) -> History:
    letters = [Letter(message.source, "INVALID") for message in history.raw[:50]]
    return replace(history, letters=[*history.letters, *letters])


def crowd(history: History) -> History:
    return replace(history, parts={"order_events 202611": 100})


def leak(where: str) -> Change:
    return lambda history: replace(
        history, scanned=history.scanned._replace(leaks=(Leak(where, "kanari-name"),), sown=5)
    )


def lost_ack(history: History) -> History:
    return replace(history, acks=[*history.acks, Ack("orders.raw", 0, 999_999, "key")])


def other_ack(history: History) -> History:
    return replace(history, acks=[history.acks[0]._replace(key="another"), *history.acks[1:]])


def waybill(history: History) -> History:
    taken = next(entry for entry in history.book if entry.kind == "accepted")
    return replace(history, book=[*history.book, taken._replace(waybill_no="SF-2")])


def waybill_of_cancelled(history: History) -> History:
    cancelled = first(history, "FulfilmentCancelled")
    return replace(history, book=[*history.book, BookEntry("accepted", cancelled.fulfilment_id, "SF-2")])


def replay_differs(history: History) -> History:
    stage = msgspec.structs.replace(history.replay[0], differing=1, first=["a key"])
    return replace(history, replay=[stage])


def faults(*lines: FaultLine, failpoints: bool = True) -> Change:
    def change(history: History) -> History:
        fired = history.faults.failpoints if failpoints else ()
        return replace(history, faults=Faults((*history.faults.faults, *lines), fired))

    return change


def phantom(history: History) -> History:
    wrong = first(history, "OrderCreated")._replace(event_id="x-0-0-0", cause="x-0-0", order_id="phantom")
    return replace(history, facts=[*history.facts, wrong])


def raw_lost(history: History) -> History:
    lost = next(message for message in history.raw if message.kind == "order")
    facts = [fact for fact in history.facts if fact.order_id != lost.order_id]
    return replace(history, facts=facts)


def stolen(history: History) -> History:
    # Consumed units are fewer than those that the balance lost.
    old = first(history, "HoldConsumed")
    less = {**old.body, "units": [(sku, count + 1) for sku, count in old.body["units"]]}
    return replace(history, facts=[fact._replace(body=less) if fact is old else fact for fact in history.facts])


def aborted(history: History) -> History:
    return replace(history, aborted=0)


def all_answered(history: History) -> History:
    return replace(history, book=[entry._replace(answered=True) for entry in history.book])
