"""What dedup keeps of an order, on the wire: small lists whose places have names here; and what an order says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Answers, Command, Tables

STANDING, UPDATED, PAID, REST, RANK, PAID_MINOR, BACK, VIP, ADDRESS, GOODS = range(10)
"""An order's entry. REST is what it waits with, or what was said of it before it came."""
TAG, UNITS, SHIP_TO, ORDER, ENVELOPE, POOL, PRIORITY, HELD = range(8)
"""What an order waits with."""
REASON, STATE, RAISED_AT, RULES, RULE_VERSION, TWIN, REVIEWER, LEASED_UNTIL = range(8)
"""A hold for review."""
WAITING, PARKED = "w", "p"
OVER = ("cancelled", "refund_due")
OPEN = ("await_pay", "in_review", "paid")
RANKS = {"await_pay": 0, "paid": 1, "cancelled": 2}
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DEFAULT_POLICY = [
    *("default", 30 * MINUTE_MS, 5 * MINUTE_MS, ["pdd", "jd"], 35 * MINUTE_MS),
    *(12 * MINUTE_MS, 24 * HOUR_MS, 15 * MINUTE_MS, 2 * HOUR_MS),
    *([30_000, 100_000, 1], [30_000, 100_000, 1], 0),
]
VERSION, WARN, CANCEL_AFTER, OTHERS, HOLD_UNPAID, REVIEW_WARN, REVIEW_LATE, LEASE = range(8)
REFUND, TIERS_A, TIERS_B, SHARE_B = range(8, 12)
"""A policy."""
PERSONAL = ("receiver_name", "receiver_phone", "province", "city", "district", "address_detail")
COMPARED = (
    *("buyer_id", "receiver_key", *PERSONAL, "order_type"),
    *("freight_minor", "discount_seller_minor", "discount_platform_minor", "lines"),
)
Entry = list[Any]


class Desk(NamedTuple):
    """A command at work: the tables, the answers so far, when, and in which pool."""

    tables: Tables
    answers: Answers
    at: int
    pool: str = ""

    def order(self, order_id: str) -> Entry:
        """Give an order's entry."""
        found: Entry = self.tables["orders"][order_id]
        return found

    def policy(self) -> Entry:
        """Give the limits in force."""
        found: Entry = self.tables["policies"].get("orders", DEFAULT_POLICY)
        return found

    def since(self, at: int) -> int:
        """Give from when a limit counts: from when it happened, or from when it came, where the clock says so."""
        now: int = self.tables["clock"].get("now", 0)
        return max(at, now)

    def put(self, key: str, due_at: int | None) -> None:
        """Put a deadline, or drop it."""
        if due_at is None:
            self.tables["deadlines"].pop(key, None)
        else:
            self.tables["deadlines"][key] = due_at


def units_of(order: Command) -> list[list[Any]]:
    """Sum an order's units by SKU, in the order of the SKUs."""
    units: dict[str, int] = {}
    for line in order["lines"]:
        if line["quantity"] > 0:
            units[line["sku"]] = units.get(line["sku"], 0) + line["quantity"]
    return [[sku, units[sku]] for sku in sorted(units)]


def ship_to_of(order: Command) -> Command:
    """Give where an order goes."""
    names = ("province", "city", "district", "address_detail")
    return {"name": order["receiver_name"], "phone": order["receiver_phone"], **{name: order[name] for name in names}}


def address_of(ship_to: Command) -> int:
    """Give the check sum of an address."""
    names = ("name", "phone", "province", "city", "district", "address_detail")
    return crc32("\n".join([ship_to[name] for name in names]).encode())


def goods_of(units: list[list[Any]]) -> int:
    """Give the check sum of units."""
    return crc32("\n".join([f"{sku} {count}" for sku, count in units]).encode())


def waiting(command: Command) -> Entry:
    """Give what a submitted order waits with."""
    order = command["order"]
    return [WAITING, units_of(order), ship_to_of(order), order, command["envelope"], command["pool"], 0, False]


def readdressed(order: Command, ship_to: Command, receiver_key: str) -> Command:
    """Give an order that goes elsewhere."""
    moved = {f"receiver_{name}" if name in {"name", "phone"} else name: text for name, text in ship_to.items()}
    return {**order, **moved, "receiver_key": receiver_key}


def trimmed(order: Command, units: list[list[Any]]) -> tuple[Command, int, int]:
    """Take units off an order's last lines; give it with how many, and what they cost."""
    wanted: dict[str, int] = {}
    for sku, count in units:
        wanted[sku] = wanted.get(sku, 0) + max(0, count)
    taken = cost = 0
    lines = []
    for line in order["lines"][::-1]:
        count = min(line["quantity"], wanted.get(line["sku"], 0))
        wanted[line["sku"]] = wanted.get(line["sku"], 0) - count
        taken, cost = taken + count, cost + count * line["unit_price_minor"]
        lines.append({**line, "quantity": line["quantity"] - count})
    return {**order, "lines": lines[::-1]}, taken, cost


def remember(desk: Desk, waits: Entry) -> None:
    """Remember a receiver's order; of his others, those of six hours before the newest, 32 at most."""
    order = waits[ORDER]
    if not order["receiver_key"]:
        return
    key = f"{waits[POOL]}|{order['receiver_key']}"
    ours = [order["created_at"], order["internal_order_id"], "\n".join([sku for sku, _ in waits[UNITS]])]
    others = [one for one in desk.tables["receivers"].get(key, [[]])[0] if one[1] != ours[1]]
    recent = sorted([*others, ours], key=lambda one: (one[0], one[1]))
    since = recent[-1][0] - 6 * HOUR_MS
    desk.tables["receivers"][key] = [[one for one in recent if one[0] >= since][-32:]]


def keep(desk: Desk, order_id: str, waits: Entry) -> None:
    """Keep what an order waits with."""
    entry = desk.order(order_id)
    entry[REST], entry[ADDRESS], entry[GOODS] = waits, address_of(waits[SHIP_TO]), goods_of(waits[UNITS])


def forget_payment(desk: Desk, order_id: str) -> None:
    """Drop an unpaid order's deadlines."""
    desk.put(f"unpaid|{order_id}|", None)
    desk.put(f"cancel|{order_id}|", None)


def drop_hold(desk: Desk, order_id: str, hold: Entry) -> None:
    """Drop what refers to a hold for review."""
    desk.put(f"review|{order_id}|{hold[REASON]}", None)
    desk.put(f"lease|{order_id}|{hold[REASON]}", None)
    twins = desk.tables["twins"]
    if hold[TWIN] in twins:
        left = [one for one in twins.pop(hold[TWIN])[0] if one != order_id]
        if left:
            twins[hold[TWIN]] = [left]


def let_go(desk: Desk, order_id: str) -> None:
    """Forget what an order waited with: it went on, or it ended."""
    entry = desk.order(order_id)
    if not entry[REST] or entry[REST][TAG] != WAITING:
        return
    entry[REST] = None
    forget_payment(desk, order_id)
    for hold in desk.tables["reviews"].pop(order_id, [[], []])[0]:
        drop_hold(desk, order_id, hold)
