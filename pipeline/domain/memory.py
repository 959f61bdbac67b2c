"""A table as the rules see it: a mapping that may have forgotten its oldest entries."""

from __future__ import annotations

from typing import TypeVar

V = TypeVar("V")
AHEAD_MS_MAX = 24 * 60 * 60 * 1000
"""How far a platform may date something ahead of the broker's clock, and an order ahead of its own latest news."""


class Memory(dict[str, V]):
    """Entries by key. What is not in it was never there, or was forgotten.

    `forgotten_ms` is the event time up to which entries may have been forgotten, 0 while none was: of a thing that is
    older, absence proves nothing.
    """

    __slots__ = ("forgotten_ms",)

    def __init__(self) -> None:
        super().__init__()
        self.forgotten_ms = 0
