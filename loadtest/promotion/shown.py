"""What a promotion showed: for each kind of special order, what came of it; a share without any effect is named."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

    from loadtest.oracle.history import Fact, History

WORDS: Mapping[str, Mapping[str, str]] = {
    "presale": {"HoldPlaced": "held", "HoldFilled": "converted", "HoldRefused": "refused"},
    "flash": {"HoldPlaced": "accepted", "HoldRefused": "refused"},
    "safety": {"HoldPlaced": "held", "HoldRefused": "refused"},
    "backorder": {"HoldPlaced": "held", "HoldFilled": "served when goods came"},
    "gated": {"HoldPlaced": "held", "HoldPlaced>frozen": "frozen", "HoldConfirmed<frozen": "let go"},
    "late_payment": {
        "HoldExpired": "expired",
        "HoldRegained": "held once more",
        "RefundDue": "money due back",
        "OrderCancelled": "cancelled",
    },
    "abandoned": {"HoldPlaced": "held", "HoldExpired": "expired", "OrderCancelled": "cancelled"},
    "address": {
        "OrderChanged": "changed",
        "PartRerouted": "parcels sent again",
        "AddressChangeRefused": "parcels too late",
    },
    "expedite": {"OrderExpedited": "expedited", "RouteExpedited": "on the floor already"},
    "refund": {"RefundRequested": "asked", "RefundRequested>approved": "approved at once"},
    "partial": {"OrderTrimmed": "asked", "HoldTrimmed": "trimmed", "TrimRefused": "too late"},
    "risky": {"OrderHeldForReview": "held for review"},
    "vip": {"OrderRuleMatched": "with services asked"},
}
"""By kind: what is counted of its orders. `Event>state`, `Event<state`: only into, or out of, a state."""
MUST: Mapping[str, Sequence[str]] = {
    "presale": ("held", "converted"),
    "flash": ("accepted", "refused"),
    "safety": ("held", "refused"),
    "backorder": ("served when goods came",),
    "gated": ("frozen", "let go"),
    "late_payment": ("money due back",),
    "abandoned": ("expired", "cancelled"),
    "address": ("changed",),
    "expedite": ("expedited",),
    "refund": ("asked",),
    "partial": ("asked", "trimmed"),
    "risky": ("held for review",),
    "vip": ("with services asked",),
}
"""What must have happened to at least one of a kind's orders."""
OF_ALL: Mapping[str, Mapping[str, str]] = {
    "flash": {"FlashClosed": "units back in stock"},
    "safety": {"StockTransferred>safety": "units set aside", "StockTransferred>stock": "units given back"},
}
"""Units that events of no order move."""
FEW = 40
"""Of fewer orders of a kind nothing must have happened: whether it did is chance."""


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the orders of a kind: how many were sent, and how many of them each thing happened to."""

    kind: str
    orders: int
    counts: dict[str, int]
    lacking: tuple[str, ...]
    """What did not happen to any, although it should have."""

    @property
    def is_shown(self) -> bool:
        """Whether all happened that should have, or whether there were too few orders to tell."""
        return not self.lacking or self.orders < FEW


def effects(history: History, kinds: Mapping[str, str], planned: str) -> list[Effect]:
    """Count what came of each kind; `kinds` by order id, `planned` the pool that has a routing plan."""
    sent = Counter(kinds.values())
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in WORDS}
    for order_id, kind in kinds.items():
        named = {name for fact in history.facts_by_order.get(order_id, ()) for name in _names(fact)}
        counts[kind].update(word for event, word in WORDS[kind].items() if event in named)
    for kind, words in OF_ALL.items():
        for event, word in words.items():
            counts[kind][word] = _units(history, event)
    found = [_effect(kind, sent[kind], counts[kind]) for kind in WORDS if sent[kind]]
    return [*found, *_of_plan(history, planned)]


def _effect(kind: str, orders: int, counts: Counter[str]) -> Effect:
    lacking = tuple(word for word in MUST[kind] if not counts[word])
    words = [*WORDS[kind].values(), *OF_ALL.get(kind, {}).values()]
    return Effect(kind=kind, orders=orders, counts={word: counts[word] for word in words}, lacking=lacking)


def _names(fact: Fact) -> Iterable[str]:
    return fact.event, f"{fact.event}>{fact.to}", f"{fact.event}<{fact.came_from}"


def _units(history: History, event: str) -> int:
    name, _, to_pool = event.partition(">")
    facts = [fact for fact in history.named(name) if not to_pool or fact.body["to_pool"] == to_pool]
    return sum(fact.body["units"] for fact in facts)


def _of_plan(history: History, planned: str) -> Iterable[Effect]:
    if not planned:
        return
    routed = [fact for fact in history.named("OrderRouted") if fact.body.get("rule_version")]
    counts = {
        "routed by it": len(routed),
        "of a closed warehouse": len(
            {fact.order_id for fact in history.named("RerouteStarted") if fact.body.get("scores")}
        ),
    }
    counts["parts split anew"] = sum(len(fact.body["new_parts"]) > 1 for fact in history.named("PartRerouted"))
    held = sum(fact.body["pool"] == planned for fact in history.named("HoldPlaced"))
    lacking = () if routed else ("routed by it",)
    yield Effect(kind=f"plan of {planned}", orders=held, counts=counts, lacking=lacking)


def show_effects(out: Console, found: Sequence[Effect]) -> None:
    """Show what a promotion showed, and what it did not."""
    table = Table(title="What the promotion showed")
    for column in ("orders", "sent", "what came of them"):
        table.add_column(column, justify="right" if column == "sent" else "left")
    for effect in found:
        words = ", ".join(f"{number:,} {word}" for word, number in effect.counts.items())
        why = " (of so few orders that is chance)" if effect.is_shown else ""
        lacking = "".join(f" [red]NOT SHOWN: {word}{why}[/red]" for word in effect.lacking)
        table.add_row(effect.kind.replace("_", " "), f"{effect.orders:,}", words + lacking)
    out.print(table)
