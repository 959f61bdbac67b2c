"""What dedup must do when a known order shows itself again, or when a change or a refund of it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.oracle.model.dedup_orders import (
    ADDRESS,
    BACK,
    COMPARED,
    GOODS,
    HELD,
    OPEN,
    ORDER,
    PAID,
    PAID_MINOR,
    PRIORITY,
    RANK,
    RANKS,
    REST,
    SHIP_TO,
    STANDING,
    TAG,
    UNITS,
    UPDATED,
    VIP,
    WAITING,
    Desk,
    Entry,
    address_of,
    goods_of,
    keep,
    readdressed,
    remember,
    trimmed,
    units_of,
    waiting,
)
from loadtest.oracle.model.dedup_refunds import open_refund
from loadtest.oracle.model.dedup_reviews import Eyes, cancel, go_on, owe

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Command


def repeat(desk: Desk, order_id: str) -> None:
    """Say where an order stands."""
    desk.answers.tell("OrderRepeated", order_id, desk.order(order_id)[STANDING])


def waits_of(entry: Entry) -> Entry | None:
    """Give what an order waits with, if it does."""
    rest = entry[REST]
    return rest if rest and rest[TAG] == WAITING else None


# --- what its platform shows ---


def show(desk: Desk, command: Command) -> None:
    """Take what a known order shows, unless it is not newer than what is known."""
    order = command["order"]
    order_id, status = order["internal_order_id"], order["status"]
    entry = desk.order(order_id)
    told = len(desk.answers.told)
    if (desk.at, RANKS[status]) <= (entry[UPDATED], entry[RANK]):
        repeat(desk, order_id)
        return
    waits, standing = waits_of(entry), entry[STANDING]
    if status == "cancelled":
        if standing in OPEN:
            _end(desk, order_id)
    elif waits:
        _show_waiting(desk, command, waits)
    elif status == "paid" and not entry[PAID]:
        if standing in {"cancelled", "cancel_requested"}:
            owe(desk, order_id, order["paid_minor"])
    elif standing == "paid":
        _show_held(desk, command)
    if len(desk.answers.told) == told:
        repeat(desk, order_id)
    entry[UPDATED], entry[RANK] = desk.at, RANKS[status]


def _end(desk: Desk, order_id: str) -> None:
    at_once = desk.order(order_id)[STANDING] != "paid"
    cancel(desk, order_id)
    if at_once:
        owe(desk, order_id)


def end(desk: Desk, order_id: str) -> None:
    """Cancel an order, if it may be; what was paid is to go back when nothing is held for it."""
    if desk.order(order_id)[STANDING] in OPEN:
        _end(desk, order_id)
    else:
        repeat(desk, order_id)


def _show_waiting(desk: Desk, command: Command, waits: Entry) -> None:
    order = command["order"]
    order_id = order["internal_order_id"]
    entry = desk.order(order_id)
    pays = order["paid_minor"] if order["status"] == "paid" and not entry[PAID] else None
    held = dict(map(tuple, waits[UNITS]))
    if waits[HELD] and any(count > held.get(sku, 0) for sku, count in units_of(order)):
        desk.answers.tell("OrderChangeRefused", order_id)
        order = {**order, "lines": waits[ORDER]["lines"]}
    names = (*COMPARED, "paid_minor") if entry[PAID] else COMPARED
    differs = any(order[name] != waits[ORDER][name] for name in names)
    if not differs and pays is None:
        return
    after = [*waiting({**command, "order": order})[:PRIORITY], *waits[PRIORITY:]]
    change(desk, order_id, after, pays=pays, differs=differs)


def change(desk: Desk, order_id: str, after: Entry, *, pays: int | None = None, differs: bool = True) -> None:
    """Put an order that waits in another's place, and take it on."""
    entry = desk.order(order_id)
    before = entry[REST]
    key = "receiver_key"
    is_other = (before[ORDER][key], before[UNITS]) != (after[ORDER][key], after[UNITS])
    if differs:
        desk.answers.tell("OrderChanged", order_id)
        _forget_approvals(desk, order_id)
        _note(desk, entry, after)
        _follow(desk, order_id, before, after)
    go_on(desk, order_id, after, Eyes(changed=differs, twins=differs and is_other), pays)


def _forget_approvals(desk: Desk, order_id: str) -> None:
    reviews = desk.tables["reviews"]
    if order_id in reviews:
        reviews[order_id] = [reviews[order_id][0], []]
        if not reviews[order_id][0]:
            del reviews[order_id]


def _note(desk: Desk, entry: Entry, waits: Entry) -> None:
    """Take up what an order shows by now."""
    entry[ADDRESS], entry[GOODS] = address_of(waits[SHIP_TO]), goods_of(waits[UNITS])
    entry[VIP] = waits[4].get("vip_level", 0)
    remember(desk, waits)


def _follow(desk: Desk, order_id: str, before: Entry, after: Entry) -> None:
    if not before[HELD]:
        return
    left = dict(map(tuple, after[UNITS]))
    less = [[sku, count - left.get(sku, 0)] for sku, count in before[UNITS] if count > left.get(sku, 0)]
    if less:
        desk.answers.ask("TrimHold", order_id, less)
    if before[SHIP_TO] != after[SHIP_TO]:
        desk.answers.ask("ReplaceAddress", order_id)


def _show_held(desk: Desk, command: Command) -> None:
    order = command["order"]
    order_id = order["internal_order_id"]
    entry, shown = desk.order(order_id), waiting(command)
    moved = bool(entry[ADDRESS]) and address_of(shown[SHIP_TO]) != entry[ADDRESS]
    other = bool(entry[GOODS]) and goods_of(shown[UNITS]) != entry[GOODS]
    was, is_now = entry[PAID_MINOR], order["paid_minor"]
    if moved or other or (was and order["status"] == "paid" and was != is_now):
        desk.answers.tell("OrderChanged", order_id)
        _forget_approvals(desk, order_id)
        _note(desk, entry, shown)
        if moved:
            desk.answers.ask("ReplaceAddress", order_id)


# --- what is asked of it ---


def address(desk: Desk, command: Command) -> None:
    """Send an order somewhere else."""
    order_id, to = command["order_id"], command["ship_to"]
    entry = desk.order(order_id)
    waits = waits_of(entry)
    if desk.at < entry[UPDATED] or address_of(to) == entry[ADDRESS]:
        repeat(desk, order_id)
    elif waits:
        moved = readdressed(waits[ORDER], to, command.get("receiver_key", ""))
        change(desk, order_id, [*waits[:SHIP_TO], to, moved, *waits[ORDER + 1 :]])
        entry[UPDATED] = desk.at
    elif entry[STANDING] == "paid":
        desk.answers.tell("OrderChanged", order_id)
        desk.answers.ask("ReplaceAddress", order_id)
        entry[ADDRESS], entry[UPDATED] = address_of(to), desk.at
    else:
        desk.answers.tell("OrderChangeRefused", order_id)


def expedite(desk: Desk, command: Command) -> None:
    """Let an order go before others."""
    order_id, priority = command["order_id"], command["priority"]
    entry = desk.order(order_id)
    waits = waits_of(entry)
    if waits and waits[PRIORITY] == priority:
        repeat(desk, order_id)
        return
    if not waits and entry[STANDING] != "paid":
        desk.answers.tell("OrderChangeRefused", order_id)
        return
    desk.answers.tell("OrderExpedited", order_id)
    if waits:
        keep(desk, order_id, [*waits[:PRIORITY], priority, waits[HELD]])
    if not waits or waits[HELD]:
        desk.answers.ask("ExpediteHold", order_id)


def trim(desk: Desk, command: Command) -> None:
    """Drop a part of an order, once."""
    order_id, key = command["order_id"], f"{command['order_id']}|{command['trim_id']}"
    entry = desk.order(order_id)
    waits = waits_of(entry)
    if key in desk.tables["trims"]:
        repeat(desk, order_id)
        return
    order, taken, cost = trimmed(waits[ORDER], command["units"]) if waits else ({}, 0, 0)
    if (not waits and entry[STANDING] != "paid") or (waits and not taken):
        desk.answers.tell("OrderChangeRefused", order_id)
        return
    desk.answers.tell("OrderTrimmed", order_id)
    desk.tables["trims"][key] = desk.at
    if not waits:
        desk.answers.ask("TrimHold", order_id, command["units"])
        return
    units = units_of(order)
    if not units:
        _end(desk, order_id)
        return
    back = min(cost, entry[PAID_MINOR] - entry[BACK])
    if entry[PAID] and back > 0 and key not in desk.tables["refunds"]:
        open_refund(desk, command, command["trim_id"], "cancelled", back)
    change(desk, order_id, [WAITING, units, waits[SHIP_TO], order, *waits[ORDER + 1 :]])
