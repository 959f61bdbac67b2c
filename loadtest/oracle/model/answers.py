"""What a record must be answered with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Tables = dict[str, dict[str, Any]]
"""A stage's tables in one partition: entries by table and key."""
Command = dict[str, Any]
Told = tuple[str, str, str]
"""An event as far as the model tells it: its name, its order, its `to`."""
Asked = tuple[str, str, str]
"""A command as far as the model tells it: its name, what it is about, its units (or its kind)."""


class Answers:
    """What one record must be answered with, written down by the model of its stage."""

    __slots__ = ("asked", "at", "forgotten_ms", "objections", "parts", "rerouted", "scores", "told", "twins", "version")

    def __init__(self, routed: Mapping[str, Any] | None, rerouted: Sequence[Mapping[str, Any]] = ()) -> None:
        self.at = 0
        """The time of the record, where its model says so (ms UTC)."""
        self.told: list[Told] = []
        self.asked: list[Asked] = []
        self.objections: list[str] = []
        """What is wrong with a choice that the stage made."""
        self.parts: Sequence[Mapping[str, Any]] | None = None if routed is None else routed["parts"]
        """The route that the stage chose for the record's order; None where it chose none."""
        self.scores: Sequence[Mapping[str, Any]] = (routed or {}).get("scores", ())
        """How the candidates compared, where there was a plan."""
        self.rerouted = list(rerouted)
        """The parts that the stage began to send again, in its order."""
        self.forgotten_ms = 0
        """Until when the partition may have forgotten receivers' orders (ms UTC)."""
        self.twins: frozenset[str] = frozenset()
        """The orders that the stage took the record's order for a repetition of."""
        self.version: str | None = (routed or {}).get("rule_version")

    def tell(self, event: str, order_id: str = "", to: str = "") -> None:
        """Write down an event."""
        self.told.append((event, order_id, to))

    def ask(self, command: str, about: str, units: Sequence[Sequence[Any]] = ()) -> None:
        """Write down a command."""
        self.asked.append((command, about, units_text(units)))


def units_text(units: Sequence[Sequence[Any]]) -> str:
    """Give units as a text that can be compared."""
    return ",".join([f"{sku}*{count}" for sku, count in units])


def order_of(fulfilment_id: str) -> str:
    """Give the order of a fulfilment order: all before the last dash."""
    return fulfilment_id.rpartition("-")[0]
