"""Stock against a model: goods come, orders take them, parts ship or do not, corrections come, everything twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from pipeline.domain.commands import (
    AdjustStock,
    CancelHold,
    ConsumeHold,
    PlaceHold,
    ReceiveStock,
    RegisterWarehouse,
    ReleaseHold,
)
from pipeline.domain.orders import SkuUnits
from tests.domain.folding import names
from tests.domain.invariants import check_invariants
from tests.domain.orders import NOON, POOL, SHIP_TO, order_id
from tests.domain.stages import folded

SKUS = ("X", "Y")
counts = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 5), min_size=1)


def as_units(units: Counter[str]) -> tuple[SkuUnits, ...]:
    return tuple(SkuUnits(sku, units[sku]) for sku in sorted(units) if units[sku])


class Stock(RuleBasedStateMachine):
    """The model: what there is, and what each open part of an order holds of it. It knows no tables."""

    parts = Bundle("parts")
    """The open parts of the orders that are held."""
    commands = Bundle("commands")
    """All that was told, to be told again."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = folded("reservation")
        self.on_hand: Counter[str] = Counter()
        self.held: Counter[str] = Counter()
        self.known: set[str] = set()
        self.number = 0

    def next(self) -> str:
        self.number += 1
        return str(self.number)

    @initialize()
    def open(self) -> None:
        self.stage.tell(
            RegisterWarehouse(at=NOON, pool=POOL, feed_id="open", warehouse="w", latitude=30, longitude=120)
        )

    @rule(target=commands, units=counts)
    def receive(self, units: dict[str, int]) -> Any:  # noqa: ANN401
        command = ReceiveStock(at=NOON, pool=POOL, feed_id=self.next(), warehouse="w", units=as_units(Counter(units)))
        assert names(self.stage.tell(command)) == ["StockReceived", "StockShelf"]
        self.on_hand.update(units)
        self.known.update(units)
        return command

    @rule(target=commands, sku=st.sampled_from(SKUS), change=st.integers(-5, 5))
    def adjust(self, sku: str, change: int) -> Any:  # noqa: ANN401
        command = AdjustStock(
            at=NOON, pool=POOL, feed_id=self.next(), warehouse="w", sku=sku, change_units=change, reason="counted"
        )
        fits = self.on_hand[sku] + change >= self.held[sku]
        assert names(self.stage.tell(command))[0] == ("StockAdjusted" if fits else "StockFeedRefused")
        if fits:
            self.on_hand[sku] += change
            self.known.add(sku)
        return command

    @rule(target=parts, units=counts, split=st.booleans(), cancelled=st.booleans())
    def place(self, units: dict[str, int], split: bool, cancelled: bool) -> Any:  # noqa: ANN401, FBT001
        """Ask for an order; where it is held, give its parts."""
        name = order_id(self.next())
        wanted = Counter(units)
        command = PlaceHold(at=NOON, pool=POOL, order_id=name, units=as_units(wanted), ship_to=SHIP_TO)
        enough = all(self.on_hand[sku] - self.held[sku] >= count for sku, count in wanted.items())
        answers = self.stage.tell(command)
        assert names(answers)[0] == ("HoldPlaced" if enough else "HoldRefused")
        assert names(self.stage.tell(command)) == ["HoldRepeated"]
        if not enough:
            assert (answers[0].reason == "UNKNOWN_SKU") == any(sku not in self.known for sku in wanted)
            return (name, [])
        self.held.update(wanted)
        if cancelled:
            assert "CancelRoute" in names(
                self.stage.tell(CancelHold(at=NOON, pool=POOL, order_id=name, reason="buyer"))
            )
        first = Counter(dict.fromkeys(wanted, 1)) if split else wanted
        return (name, [part for part in (first, wanted - first) if part])

    @rule(target=commands, order=consumes(parts), ship=st.lists(st.booleans(), min_size=2, max_size=2))
    def settle(self, order: tuple[str, list[Counter[str]]], ship: list[bool]) -> Any:  # noqa: ANN401
        """Ship the parts of an order, or release them."""
        name, open_parts = order
        command: ConsumeHold | ReleaseHold | None = None
        for number, (units, shipped) in enumerate(zip(open_parts, ship, strict=False), 1):
            key, taken = f"{name}-{number}", as_units(units)
            command = (
                ConsumeHold(at=NOON, pool=POOL, order_id=name, fulfilment_id=key, units=taken)
                if shipped
                else ReleaseHold(at=NOON, pool=POOL, order_id=name, fulfilment_id=key, units=taken, reason="buyer")
            )
            assert names(self.stage.tell(command))[0] == ("HoldConsumed" if shipped else "HoldReleased")
            self.held.subtract(units)
            if shipped:
                self.on_hand.subtract(units)
        return command

    @rule(command=commands)
    def repeat(self, command: Any) -> None:  # noqa: ANN401
        """Say something again."""
        if command is not None:
            before = self.stage.tables()
            self.stage.tell(command)
            assert self.stage.tables() == before

    @invariant()
    def stock_is_what_the_model_says(self) -> None:
        """Compare, and check that nothing is oversold."""
        for sku in SKUS:
            balance = self.stage.state.stock.get(f"{POOL}|{sku}")
            found = (0, 0) if balance is None else (balance.on_hand, balance.held)
            assert found == (self.on_hand[sku], self.held[sku])
            assert 0 <= self.held[sku] <= self.on_hand[sku]
        check_invariants(self.stage)


Stock.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestStock = Stock.TestCase
