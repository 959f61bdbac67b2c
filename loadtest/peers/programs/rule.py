"""The rule of the job, for peers in Python: plain values, no library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Table(Protocol):
    """A peer's table: JSON values by text. None is the answer for a key that is not there."""

    def get(self, key: str) -> Any:  # noqa: ANN401  a JSON value
        """Look a value up."""

    def __setitem__(self, key: str, value: Any) -> None:  # noqa: ANN401
        """Put a whole new value."""


def answer(stock: Table, holds: Table, command: Mapping[str, Any]) -> dict[str, Any] | None:
    """Answer a command of the input; None for what needs no answer.

    `stock` has [on hand, held] by `pool|SKU`, `holds` [state, units] by order id. A delivery counts once by its id too:
    what delivers at least once would add it again.
    """
    kind = command["command"]
    if kind == "PlaceHold":
        return _place(stock, holds, command)
    if kind == "ReceiveStock" and holds.get(command["feed_id"]) is None:
        holds[command["feed_id"]] = ("received", ())
        for sku, units in command["units"]:
            key = f"{command['pool']}|{sku}"
            on_hand, held = stock.get(key) or (0, 0)
            stock[key] = (on_hand + units, held)
    return None


def _place(stock: Table, holds: Table, command: Mapping[str, Any]) -> dict[str, Any]:
    order_id, units = command["order_id"], command["units"]
    told = {"order_id": order_id, "at": command["at"], "pool": command["pool"]}
    before = holds.get(order_id)
    if before is not None:
        return {"event": "HoldRepeated", **told, "answer": before[0]}
    prefix = f"{command['pool']}|"
    found = []
    for sku, wanted in units:
        on_hand, held = stock.get(prefix + sku) or (0, 0)
        if held + wanted > on_hand:
            holds[order_id] = ("refused", ())
            return {"event": "HoldRefused", **told, "reason": "out_of_stock", "short": [[sku, wanted]]}
        found.append((prefix + sku, on_hand, held + wanted))
    for key, on_hand, held in found:
        stock[key] = (on_hand, held)
    holds[order_id] = ("locked", units)
    return {"event": "HoldPlaced", **told, "units": units}
