"""The outcome of every order: a small model of what may become of one, and the checks that go with it."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from loadtest.oracle.checks import Check
from loadtest.oracle.history import EVENTS, LETTERS, RAW, REVIEWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadtest.oracle.history import Fact, History

SIGNED, CANCELLED, REFUSED, IN_REVIEW = "signed", "cancelled", "refused", "in_review"
MANUAL, DEAD_LETTER, AWAITING_PAYMENT = "manual", "dead_letter", "awaiting_payment"
BACKORDERED, REFUND_DUE = "backordered", "refund_due"
UNROUTED = {
    "tentative": AWAITING_PAYMENT,
    "expired": AWAITING_PAYMENT,
    "waiting": BACKORDERED,
    "frozen": IN_REVIEW,
    "refund_due": REFUND_DUE,
}
"""What becomes of an order whose hold ends there, before routing has it."""
OF_A_HOLD = frozenset({"HoldPlaced", "HoldConfirmed", "HoldExpired", "HoldRegained", "HoldFilled", "RefundDue"})
PARKED = "parked"
"""Only a payment or a cancellation came, never the order."""
OPEN = "open"
"""Still on its way: no outcome."""
PART_ENDS = {"WaybillRefused": MANUAL, "FulfilmentCancelled": CANCELLED, "FulfilmentStopped": CANCELLED}
PARCEL_ENDS = {"signed": SIGNED, "returned": "returned"}
RAW_TOPIC = "orders.raw-"


@lru_cache(maxsize=1)
def outcomes(history: History) -> dict[str, frozenset[str]]:
    """Give what became of each order of orders.raw: one outcome if all is well."""
    return {order_id: _outcomes_of(history, order_id) for order_id in history.raw_by_order}


def _outcomes_of(history: History, order_id: str) -> frozenset[str]:
    facts = history.facts_by_order.get(order_id, [])
    events = {fact.event for fact in facts}
    found = set()
    if "OrderCancelled" in events:
        found.add(CANCELLED)
    # An order that found no route holds nothing any more, and may still be cancelled; one that was paid and got no hold
    # may not.
    is_cancelled = "OrderCancelled" in events
    refused = "HoldRefused" in events and not (is_cancelled and "OrderPaid" not in events)
    if refused or ("RouteFailed" in events and not is_cancelled):
        found.add(REFUSED)
    if _is_in_review(facts) and not events & {"OrderCancelled", "HoldPlaced", "HoldRefused"}:
        found.add(IN_REVIEW)
    ends = set(part_ends(facts).values())
    if ends and ends != {CANCELLED}:
        found.add(next(end for end in (OPEN, MANUAL, SIGNED, "returned") if end in ends))
    if not found and "HoldPlaced" in events:
        found |= _unrouted(facts)
    if found or "HoldPlaced" in events:
        return frozenset(found)
    if "OrderCreated" in events:
        return frozenset() if "OrderPaid" in events else frozenset({AWAITING_PAYMENT})
    return frozenset(_never_created(history, order_id))


def _unrouted(facts: Sequence[Fact]) -> set[str]:
    """Tell what became of an order that is held, as far as routing does not have it."""
    states = [fact.to for fact in facts if fact.event in OF_A_HOLD and fact.cause.startswith("stock.commands-")]
    return {UNROUTED[state] for state in states[-1:] if state in UNROUTED}


def _is_in_review(facts: Sequence[Fact]) -> bool:
    """Say whether an order was held for review, and not let go since."""
    last = [fact.event for fact in facts if fact.event in {"OrderHeldForReview", "OrderReleased"}][-1:]
    return last == ["OrderHeldForReview"]


def _never_created(history: History, order_id: str) -> Iterator[str]:
    """Tell what became of an order that was never created: its records are dead letters, or only news of it came."""
    own = [message.source for message in history.raw_by_order[order_id] if message.kind == "order"]
    if not own:
        yield PARKED
    elif all(source in history.dead_sources for source in own):
        yield DEAD_LETTER


def part_ends(facts: Sequence[Fact]) -> dict[str, str]:
    """Give where each fulfilment order of an order has ended, by its id."""
    ends: dict[str, str] = {}
    for fact in facts:
        if fact.event == "OrderRouted":
            ends |= {part["fulfilment_id"]: OPEN for part in fact.body["parts"]}
        elif fact.event == "PartRerouted":
            ends |= {part["fulfilment_id"]: OPEN for part in fact.body["new_parts"]}
    for fact in facts:
        if fact.event in PART_ENDS:
            ends[fact.fulfilment_id] = PART_ENDS[fact.event]
        elif fact.event == "ShipmentMoved" and fact.to in PARCEL_ENDS:
            ends[fact.fulfilment_id] = PARCEL_ENDS[fact.to]
    return ends


def _not_one_outcome(history: History) -> Iterator[str]:
    for order_id, found in outcomes(history).items():
        if len(found) != 1 or OPEN in found:
            events = Counter(fact.event for fact in history.facts_by_order.get(order_id, []))
            yield f"order {order_id}: {' and '.join(sorted(found)) or 'no outcome'}; its events: {dict(events)}"


def _forgotten_news(history: History) -> Iterator[str]:
    for order_id, found in outcomes(history).items():
        news = [message for message in history.raw_by_order[order_id] if message.kind in {"payment", "cancellation"}]
        told = [message.source for message in news if message.source not in history.dead_sources]
        if AWAITING_PAYMENT in found and told:
            yield f"order {order_id}: awaiting payment, though {told} says what became of it"


def _invented(history: History) -> Iterator[str]:
    for order_id, facts in history.facts_by_order.items():
        if order_id not in history.raw_by_order:
            yield f"order {order_id}: no record of orders.raw asks for it; first event {facts[0].event_id}"


def _not_answered_once(history: History) -> Iterator[str]:
    answers = Counter(fact.cause for fact in history.named("OrderReceived"))
    answers.update(letter.source for letter in history.letters if letter.source.startswith(RAW_TOPIC))
    for message in history.raw:
        if (times := answers.pop(message.source, 0)) != 1:
            yield f"{message.source}: answered {times} times"
    for source in answers:
        yield f"{source}: answered, and is not in the log"


def _internal_letters(history: History) -> Iterator[str]:
    for letter in history.letters:
        if not letter.source.startswith(RAW_TOPIC):
            yield f"{letter.source}: {letter.reason}"


def _unexpected(history: History) -> Iterator[str]:
    found = outcomes(history)
    for message in history.raw:
        if not message.expect:
            continue
        dead = frozenset({DEAD_LETTER} if message.source in history.dead_sources else ())
        actual = found[message.order_id] if message.order_id else dead
        if not actual & set(message.expect):
            name = f"order {message.order_id}" if message.order_id else message.source
            yield f"{name}: {' and '.join(sorted(actual)) or 'no outcome'} instead of {' or '.join(message.expect)}"


def _unreviewed(history: History) -> Iterator[str]:
    asked = Counter(history.reviews)
    for order_id, found in outcomes(history).items():
        if IN_REVIEW in found and not asked[order_id]:
            yield f"order {order_id}: in review, and nobody is asked"
    for order_id in asked:
        if order_id not in history.raw_by_order:
            yield f"order {order_id}: a review of an order that never came"


def _orders(history: History) -> int:
    return len(history.raw_by_order)


CHECKS = (
    Check(
        "one outcome",
        "every order has exactly one outcome",
        (RAW, EVENTS, LETTERS),
        _orders,
        _not_one_outcome,
        invariant="I4",
    ),
    Check(
        "news heard",
        "no order waits for a payment that came",
        (RAW, EVENTS, LETTERS),
        _orders,
        _forgotten_news,
        invariant="I4",
    ),
    Check(
        "nothing invented",
        "every event is of an order that was sent",
        (RAW, EVENTS),
        lambda history: len(history.facts_by_order),
        _invented,
        invariant="I4",
        anytime=True,
    ),
    Check(
        "answered once",
        "every record is understood or a dead letter, once",
        (RAW, EVENTS, LETTERS),
        lambda history: len(history.raw),
        _not_answered_once,
        invariant="I4",
    ),
    Check(
        "no inner dead letters",
        "no record between the stages is a dead letter",
        (EVENTS, LETTERS),
        lambda history: len(history.facts),
        _internal_letters,
        invariant="I4",
        anytime=True,
    ),
    Check(
        "as expected",
        "records whose outcome is known beforehand have it",
        (RAW, EVENTS, LETTERS),
        lambda history: sum(1 for message in history.raw if message.expect),
        _unexpected,
        may_judge_nothing=True,
        invariant="I4",
    ),
    Check(
        "reviews asked",
        "who is in review is before a reviewer",
        (RAW, EVENTS, REVIEWS),
        _orders,
        _unreviewed,
        invariant="I4",
    ),
)
