"""What must have come of a flash sale, beyond what is checked of every run; judged from the events alone."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from loadtest.flash.plan import GREEDY, LATE, order_id
from loadtest.oracle.checks import Check
from loadtest.oracle.history import EVENTS
from loadtest.oracle.stock_ledger import FLASH, sub_pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.flash.plan import Sale
    from loadtest.oracle.history import Fact, History


def accepted(sale: Sale, history: History) -> list[Fact]:
    """Give the holds that the sale's orders got."""
    return [fact for fact in history.named("HoldPlaced") if fact.order_id in sale.buyer_of]


def returned_units(history: History) -> int:
    """Sum what went back when sales were over."""
    return sum(fact.body["units"] for fact in history.named("FlashClosed"))


def checks(sale: Sale) -> tuple[Check, ...]:
    """Give the checks of a sale."""
    judged = {
        f"exactly {sale.accepted:,} of {sale.wish.buyers:,} buyers are accepted": _not_so_many,
        "nobody is accepted twice": _twice,
        "every buyer is accepted or refused": _unanswered,
        f"the remainder of {sale.left - sale.reserve:,} is back when the sale is over": _not_back,
        "in stock is what was there beside the sale and its remainder, to the unit": _not_to_be_had,
    }
    return tuple(
        Check("flash sale", claim, (EVENTS,), lambda history: len(accepted(sale, history)), partial(offenders, sale))
        for claim, offenders in judged.items()
    )


def _not_so_many(sale: Sale, history: History) -> Iterator[str]:
    held = accepted(sale, history)
    if len(held) != sale.accepted:
        yield f"{len(held)} orders are accepted instead of {sale.accepted}"
    for fact in held:
        if sub_pool(fact) != FLASH:
            yield f"order {fact.order_id}: held from {sub_pool(fact)}"


def _twice(sale: Sale, history: History) -> Iterator[str]:
    for buyer, times in Counter(sale.buyer_of[fact.order_id] for fact in accepted(sale, history)).items():
        if times > 1:
            yield f"buyer {buyer}: accepted {times} times"


def _unanswered(sale: Sale, history: History) -> Iterator[str]:
    answered = {fact.order_id for fact in (*history.named("HoldRefused"), *accepted(sale, history))}
    buyers = {sale.buyer_of[found] for found in answered if found in sale.buyer_of}
    for buyer in sorted(set(sale.buyer_of.values()) - buyers):
        yield f"buyer {buyer}: neither accepted nor refused"


def _not_back(sale: Sale, history: History) -> Iterator[str]:
    opened, closed = history.named("FlashOpened"), history.named("FlashClosed")
    if [fact.body["units"] for fact in opened] != [sale.wish.units]:
        yield f"the sale was not opened once, with {sale.wish.units} units"
    if [fact.body["units"] for fact in closed] != [sale.wish.units - sale.accepted]:
        yield f"back are {[fact.body['units'] for fact in closed]} units, not {sale.wish.units - sale.accepted}"


def _not_to_be_had(_sale: Sale, history: History) -> Iterator[str]:
    for name, wanted in ((GREEDY, "HoldPlaced"), (LATE, "HoldRefused")):
        answers = [fact.event for fact in history.named("HoldPlaced", "HoldRefused") if fact.order_id == order_id(name)]
        if answers != [wanted]:
            yield f"order {name}: {answers} instead of {wanted}"
