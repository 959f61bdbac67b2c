"""What dedup must do when reviewers decide, and when time passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.oracle.model.dedup_orders import (
    CANCEL_AFTER,
    LEASE,
    LEASED_UNTIL,
    MINUTE_MS,
    ORDER,
    OTHERS,
    RAISED_AT,
    REASON,
    REST,
    REVIEW_LATE,
    REVIEWER,
    STANDING,
    STATE,
    UNITS,
    Desk,
    Entry,
)
from loadtest.oracle.model.dedup_reviews import Eyes, cancel, go_on, lift, owe

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Command


# --- reviewers ---


def review(desk: Desk, command: Command) -> None:
    """Take a claim or a decision."""
    order_id, who, reason = command["order_id"], command["reviewer"], command.get("reason", "")
    holds = desk.tables["reviews"].get(order_id, [[], []])[0]
    holds = [hold for hold in holds if reason in {"", hold[REASON]}]
    if command["command"] == "ClaimReview":
        free = [hold for hold in holds if hold[REVIEWER] in {"", who} or hold[LEASED_UNTIL] <= desk.at]
        for hold in free:
            hold[STATE], hold[REVIEWER], hold[LEASED_UNTIL] = "in_review", who, desk.at + desk.policy()[LEASE]
            desk.put(f"lease|{order_id}|{hold[REASON]}", hold[LEASED_UNTIL])
            desk.answers.tell("ReviewClaimed", order_id, "in_review")
        if not free:
            desk.answers.tell("ReviewIgnored", order_id)
        return
    own = [hold for hold in holds if hold[REVIEWER] == who and hold[LEASED_UNTIL] > desk.at]
    waits: Entry = desk.order(order_id)[REST] if own else []
    if not own or (command["approve"] and not waits[UNITS]):
        desk.answers.tell("ReviewIgnored", order_id)
        return
    for hold in own:
        lift(desk, order_id, hold, by_reviewer=command["approve"])
        to = "released" if command["approve"] else "rejected"
        desk.answers.tell(f"Review{to.capitalize()}", order_id, to)
    if not command["approve"]:
        cancel(desk, order_id)
        owe(desk, order_id)
    elif not desk.tables["reviews"].get(order_id, [[], []])[0]:
        go_on(desk, order_id, waits, Eyes())


def review_again(desk: Desk, command: Command) -> None:
    """Look at an order again that is held: what the rules hold no more is let go."""
    order_id = command["order_id"]
    if not desk.tables["reviews"].get(order_id, [[], []])[0]:
        desk.answers.tell("ReviewIgnored", order_id)
        return
    entry = desk.order(order_id)
    desk.answers.tell("OrderReviewedAgain", order_id, entry[STANDING])
    go_on(desk, order_id, entry[REST], Eyes(rules=True))


# --- time ---


def tick(desk: Desk) -> None:
    """Answer what is due, and remember what time it is, to the minute."""
    _answer_due(desk)
    if desk.at - desk.tables["clock"].get("now", 0) >= MINUTE_MS:
        desk.tables["clock"]["now"] = desk.at


def _answer_due(desk: Desk) -> None:
    """Answer what is due: of an order one thing at a time, and what lets others go alone."""
    deadlines = desk.tables["deadlines"]
    touched: set[str] = set()
    due = sorted((due_at, key) for key, due_at in deadlines.items() if due_at <= desk.at)[:500]
    for due_at, key in due:
        kind, order_id, which = key.split("|", 2)
        lets_go = kind == "cancel" and order_id in desk.tables["twins"]
        if lets_go and touched:
            return
        if order_id not in touched:
            touched.add(order_id)
            del deadlines[key]
            {"unpaid": _unpaid, "cancel": _unpaid_end, "lease": _lease_end, "review": _overdue, "refund": _late}[kind](
                desk, order_id, which, due_at
            )
        if lets_go:
            return


def _unpaid(desk: Desk, order_id: str, _: str, due_at: int) -> None:
    entry, policy = desk.order(order_id), desk.policy()
    desk.answers.tell("OrderUnpaidTooLong", order_id, entry[STANDING])
    if entry[REST][ORDER]["channel"] not in policy[OTHERS]:
        desk.put(f"cancel|{order_id}|", due_at + policy[CANCEL_AFTER])


def _unpaid_end(desk: Desk, order_id: str, _: str, _due_at: int) -> None:
    cancel(desk, order_id)


def _lease_end(desk: Desk, order_id: str, reason: str, _due_at: int) -> None:
    for hold in desk.tables["reviews"][order_id][0]:
        if hold[REASON] == reason:
            hold[STATE], hold[REVIEWER], hold[LEASED_UNTIL] = "raised", "", 0
            desk.answers.tell("ReviewLeaseExpired", order_id, "raised")


def _overdue(desk: Desk, order_id: str, reason: str, due_at: int) -> None:
    for hold in desk.tables["reviews"][order_id][0]:
        if hold[REASON] == reason:
            late_at = hold[RAISED_AT] + desk.policy()[REVIEW_LATE]
            hold[STATE] = "escalated"
            desk.put(f"review|{order_id}|{reason}", late_at if due_at < late_at else None)
            desk.answers.tell("ReviewOverdue", order_id, "escalated")


def _late(desk: Desk, order_id: str, _: str, _due_at: int) -> None:
    desk.answers.tell("RefundOverdue", order_id)
