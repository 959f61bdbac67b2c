"""What dedup must do with orders that wait: what holds them for review, how they go on, how they end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from loadtest.oracle.model import rules
from loadtest.oracle.model.dedup_orders import (
    BACK,
    ENVELOPE,
    HELD,
    HOUR_MS,
    MINUTE_MS,
    ORDER,
    OVER,
    PAID,
    PAID_MINOR,
    POOL,
    REASON,
    REFUND,
    REST,
    REVIEW_WARN,
    RULES,
    STANDING,
    TWIN,
    UNITS,
    WARN,
    Desk,
    Entry,
    drop_hold,
    forget_payment,
    keep,
    let_go,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.oracle.model.answers import Command

SUSPECTED = "SUSPECTED_DUPLICATE"
GOES_WITH_ITS_CAUSE = ("MISSING_CUSTOMER", "NOTHING_TO_SHIP", SUSPECTED)
Doubts = dict[str, Entry]
"""By reason: [rules, version, deadline (a duration), twin]."""


class Eyes:
    """What an order is looked at for. `over`: one that is cancelled now; `firm`: those that are suspected no more."""

    def __init__(
        self, *, new: bool = False, changed: bool = False, twins: bool = False, rules: bool = False, over: str = ""
    ) -> None:
        self.new, self.changed, self.twins, self.rules, self.over = new, changed, twins, rules, over
        self.firm: set[str] = set()


def doubts_of(desk: Desk, waits: Entry, eyes: Eyes, approved: list[str]) -> tuple[Doubts, int]:
    """Give why an order must be held, by reason, and how many rules ask for something else."""
    found: Doubts = {}
    warn_ms = desk.policy()[REVIEW_WARN]
    for reason, twin in _own_doubts(desk, waits, eyes):
        if f"holdfast:{reason}" not in approved:
            found[reason] = [[f"holdfast:{reason}"], "1", warn_ms, twin]
    active: Entry = desk.tables["rulebook"].get("active", [])
    matched = rules.matching(active[1], waits[ORDER], waits[ENVELOPE]) if active else []
    for match in matched:
        if match.action == "hold" and match.rule_id not in approved and match.reason not in found:
            ids = [
                one.rule_id
                for one in matched
                if (one.action, one.reason) == ("hold", match.reason) and one.rule_id not in approved
            ]
            found[match.reason] = [ids, f"{match.rule_id}@{active[0]}", _patience(active[1], ids), ""]
    asks = sum(1 for match in matched if match.action in {"notify", "service"})
    return found, asks if eyes.new or eyes.changed else 0


def _patience(document: str, ids: list[str]) -> int:
    """Give how long a hold of some rules may wait: the shortest that one of them says."""
    minutes: dict[str, int] = {rule["id"]: rule["deadline_minutes"] for rule in orjson.loads(document)["rules"]}
    return min(minutes.get(name, 24 * 60) for name in ids) * MINUTE_MS


def _own_doubts(desk: Desk, waits: Entry, eyes: Eyes) -> Iterator[tuple[str, str]]:
    order = waits[ORDER]
    if not (order["receiver_key"] or order["buyer_id"]):
        yield "MISSING_CUSTOMER", ""
    if not waits[UNITS]:
        yield "NOTHING_TO_SHIP", ""
    receiver = desk.tables["receivers"].get(f"{waits[POOL]}|{order['receiver_key']}") if eyes.twins else None
    ours = {sku for sku, _ in waits[UNITS]}
    for created_at, other, skus in receiver[0] if receiver and order["receiver_key"] else ():
        near = abs(order["created_at"] - created_at) <= HOUR_MS and not ours.isdisjoint(skus.split("\n"))
        known = not eyes.new or created_at > desk.answers.forgotten_ms or other in desk.answers.twins
        if near and known and _may_be_twin(desk, order, other, eyes):
            yield SUSPECTED, other
            return


def _may_be_twin(desk: Desk, order: Command, other: str, eyes: Eyes) -> bool:
    if other in {eyes.over, order["internal_order_id"]} or desk.order(other)[STANDING] in OVER:
        return False
    holds = desk.tables["reviews"].get(other, [[], []])[0]
    return eyes.new or other in eyes.firm or all(hold[REASON] != SUSPECTED for hold in holds)


def go_on(desk: Desk, order_id: str, waits: Entry, eyes: Eyes, pays: int | None = None) -> None:
    """Take an order on as far as it may go. Its entry and review are as before the step, but for what was changed."""
    entry, answers = desk.order(order_id), desk.answers
    was = entry[STANDING]
    review = desk.tables["reviews"].get(order_id, [[], []])
    found, asks = doubts_of(desk, waits, eyes, review[1])
    if pays is not None:
        entry[STANDING] = "paid" if was == "await_pay" else "in_review"
        entry[PAID], entry[PAID_MINOR] = True, pays
        answers.tell("OrderPaid", order_id, entry[STANDING])
        forget_payment(desk, order_id)
    for _ in range(asks):
        answers.tell("OrderRuleMatched", order_id)
    for hold in [hold for hold in review[0] if _is_gone(hold, eyes, found)]:
        lift(desk, order_id, hold)
        answers.tell("ReviewReleased", order_id, "released")
    stay = {hold[REASON] for hold in desk.tables["reviews"].get(order_id, [[], []])[0]}
    new = {reason: doubt for reason, doubt in found.items() if reason not in stay}
    if stay or new or not entry[PAID]:
        _wait(desk, order_id, waits, eyes, is_held=bool(stay or new))
    for reason, doubt in new.items():
        _hold(desk, order_id, reason, doubt)
    if stay or new:
        return
    if was == "in_review":
        entry[STANDING] = "paid" if entry[PAID] else "await_pay"
        answers.tell("OrderReleased", order_id, entry[STANDING])
    if entry[PAID]:
        _send_on(desk, order_id, waits)


def _send_on(desk: Desk, order_id: str, waits: Entry) -> None:
    let_go(desk, order_id)
    if waits[HELD]:
        desk.answers.ask("ConfirmHold", order_id)
    else:
        desk.answers.ask("PlaceHold", order_id, waits[UNITS])


def _is_gone(hold: Entry, eyes: Eyes, found: Doubts) -> bool:
    reason = hold[REASON]
    if reason == SUSPECTED:
        return eyes.twins and (reason not in found or found[reason][3] != hold[TWIN])
    if eyes.rules and not hold[RULES][0].startswith("holdfast:"):
        return reason not in found
    return reason in GOES_WITH_ITS_CAUSE and reason not in found


def _wait(desk: Desk, order_id: str, waits: Entry, eyes: Eyes, *, is_held: bool) -> None:
    entry = desk.order(order_id)
    holds = waits[ENVELOPE].get("holds_unpaid", False) and not (is_held or waits[HELD] or entry[PAID])
    kept = [*waits[:HELD], waits[HELD] or holds]
    if kept != entry[REST]:
        keep(desk, order_id, kept)
    if eyes.new and not entry[PAID]:
        desk.put(f"unpaid|{order_id}|", desk.since(waits[ORDER]["created_at"]) + desk.policy()[WARN])
    if holds:
        desk.answers.ask("PlaceHold", order_id, waits[UNITS])


def _hold(desk: Desk, order_id: str, reason: str, doubt: Entry) -> None:
    ids, version, patience_ms, twin = doubt
    desk.order(order_id)[STANDING] = "in_review"
    review = desk.tables["reviews"].setdefault(order_id, [[], []])
    review[0].append([reason, "raised", desk.since(desk.at), ids, version, twin, "", 0])
    desk.put(f"review|{order_id}|{reason}", desk.since(desk.at) + patience_ms)
    if twin:
        suspects = desk.tables["twins"].get(twin, [[]])[0]
        desk.tables["twins"][twin] = [[*(one for one in suspects if one != order_id), order_id]]
    desk.answers.tell("OrderHeldForReview", order_id, "in_review")
    desk.answers.ask("RequestReview", order_id)


def lift(desk: Desk, order_id: str, hold: Entry, *, by_reviewer: bool = False) -> None:
    """Take a hold off an order."""
    review = desk.tables["reviews"][order_id]
    drop_hold(desk, order_id, hold)
    holds = [one for one in review[0] if one[REASON] != hold[REASON]]
    approved = review[1] + [rule for rule in hold[RULES] if by_reviewer and rule not in review[1]]
    desk.tables["reviews"][order_id] = [holds, approved]
    if not holds and not approved:
        del desk.tables["reviews"][order_id]


# --- the end of an order ---


def cancel(desk: Desk, order_id: str) -> None:
    """Cancel an order that may be cancelled."""
    entry, answers = desk.order(order_id), desk.answers
    if entry[STANDING] == "paid":
        answers.tell("CancelRequested", order_id, "cancel_requested")
        answers.ask("CancelHold", order_id)
        entry[STANDING] = "cancel_requested"
        return
    answers.tell("OrderCancelled", order_id, "cancelled")
    if entry[REST][HELD]:
        answers.ask("CancelHold", order_id)
    let_go(desk, order_id)
    entry[STANDING] = "cancelled"
    free_twins(desk, order_id)


def owe(desk: Desk, order_id: str, amount: int | None = None) -> None:
    """Say that money is to go back: an amount, or all that is left of what was paid, if anything is."""
    entry = desk.order(order_id)
    left = entry[PAID_MINOR] - entry[BACK] if amount is None else amount
    if amount is None and (not entry[PAID] or left <= 0):
        return
    desk.answers.tell("RefundDue", order_id, "refund_due")
    entry[STANDING], entry[REST] = "refund_due", None
    entry[BACK] += left
    desk.tables["refunds"][f"{order_id}|"] = ["approved", left, "cancelled", "", []]
    desk.put(f"refund|{order_id}|", desk.at + desk.policy()[REFUND])


def free_twins(desk: Desk, order_id: str) -> None:
    """Look again at the orders that were held for one that is cancelled."""
    eyes = Eyes(twins=True, over=order_id)
    for suspect in desk.tables["twins"].get(order_id, [[]])[0][:]:
        go_on(desk, suspect, desk.order(suspect)[REST], eyes)
        eyes.firm.add(suspect)
