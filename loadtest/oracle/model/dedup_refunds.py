"""What dedup must do about refunds. A case: [state, amount, tier, policy/variant, approvers]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

from loadtest.oracle.model.dedup_orders import (
    BACK,
    OPEN,
    PAID,
    PAID_MINOR,
    REFUND,
    SHARE_B,
    STANDING,
    TIERS_A,
    TIERS_B,
    VERSION,
    VIP,
    Desk,
    Entry,
)
from loadtest.oracle.model.dedup_reviews import cancel

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Command


def ask_refund(desk: Desk, command: Command, entry: Entry) -> bool:
    """Take the request for a refund; say whether it is granted at once."""
    order_id, amount = command["order_id"], command["amount_minor"]
    known = f"{order_id}|{command['refund_id']}" in desk.tables["refunds"]
    if known or not entry[PAID] or amount > entry[PAID_MINOR] - entry[BACK]:
        desk.answers.tell("RefundIgnored", order_id)
        return False
    for_all, for_vips, level = desk.policy()[TIERS_B if _variant(desk, order_id) == "B" else TIERS_A]
    tier = "manual"
    if amount <= for_all:
        tier = "self_service"
    elif entry[VIP] >= level and amount <= for_vips:
        tier = "vip"
    open_refund(desk, command, command["refund_id"], tier, amount)
    return tier != "manual"


def _variant(desk: Desk, order_id: str) -> str:
    return "B" if crc32(order_id.encode()) % 100 < desk.policy()[SHARE_B] else "A"


def open_refund(desk: Desk, command: Command, refund_id: str, tier: str, amount: int) -> None:
    """Open a case."""
    order_id, policy = command["order_id"], desk.policy()
    state = "review" if tier == "manual" else "approved"
    desk.answers.tell("RefundRequested", order_id, state)
    by = f"{policy[VERSION]}/{_variant(desk, order_id)}"
    desk.tables["refunds"][f"{order_id}|{refund_id}"] = [state, amount, tier, by, []]
    desk.put(f"refund|{order_id}|{refund_id}", desk.at + policy[REFUND])
    desk.order(order_id)[BACK] += amount


def refund(desk: Desk, command: Command) -> None:
    """Take what is said of a refund; an order of which all goes back is cancelled, if it may be."""
    order_id = command["order_id"]
    if command["command"] == "RequestRefund":
        granted = ask_refund(desk, command, desk.order(order_id))
    else:
        granted = _decide_refund(desk, command)
    entry = desk.order(order_id) if granted else []
    if granted and entry[BACK] >= entry[PAID_MINOR] and entry[STANDING] in OPEN:
        cancel(desk, order_id)


def _decide_refund(desk: Desk, command: Command) -> bool:
    order_id, refund_id = command["order_id"], command["refund_id"]
    case: list[Any] | None = desk.tables["refunds"].get(f"{order_id}|{refund_id}")
    agrees, who = command["approve"], command["approver"]
    if case is None or case[0] != "review" or (agrees and who in case[4]):
        desk.answers.tell("RefundIgnored", order_id)
        return False
    case[4] = [*case[4], who]
    case[0] = "rejected" if not agrees else "approved" if len(case[4]) > 1 else "review"
    desk.answers.tell("RefundDecided", order_id, case[0])
    if not agrees:
        desk.put(f"refund|{order_id}|{refund_id}", None)
        desk.order(order_id)[BACK] -= case[1]
    return bool(case[0] == "approved")


def confirm_refund(desk: Desk, command: Command) -> None:
    """Take note that money is back."""
    order_id, refund_id = command["order_id"], command.get("refund_id", "")
    case = desk.tables["refunds"].get(f"{order_id}|{refund_id}")
    if case is None or case[0] != "approved":
        desk.answers.tell("RefundIgnored", order_id)
        return
    desk.answers.tell("RefundPaid", order_id, "refunded")
    case[0] = "refunded"
    desk.put(f"refund|{order_id}|{refund_id}", None)
