"""What the rig and its load generator say to each other: JSON lines over the generator's standard input and output."""

from __future__ import annotations

import msgspec


class Burst(msgspec.Struct, frozen=True, kw_only=True, tag="burst"):
    """Send the records of a burst at its own rate; past the last burst, those of the first one again."""

    number: int
    which: int


class Flood(msgspec.Struct, frozen=True, kw_only=True, tag="flood"):
    """Send hostile records, one right after the other; past the last flood, those of the first one again."""

    number: int
    which: int


class Repeat(msgspec.Struct, frozen=True, kw_only=True, tag="repeat"):
    """Send the latest `records` records again, `copies` times each, in an order that the seed chooses."""

    number: int
    records: int
    copies: int
    seed: int


class Shuffle(msgspec.Struct, frozen=True, kw_only=True, tag="shuffle"):
    """Send the next `records` records at once, in an order that the seed chooses."""

    number: int
    records: int
    seed: int


class Finish(msgspec.Struct, frozen=True, kw_only=True, tag="finish"):
    """Send what is left fast, and end."""


Numbered = Burst | Flood | Repeat | Shuffle
Command = Numbered | Finish


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """A command was carried out: so many records were sent in so many seconds, `moved` of them out of their order."""

    number: int
    records: int
    seconds: float
    moved: int = 0


class Standing(msgspec.Struct, frozen=True, kw_only=True, tag="standing"):
    """How far the generator is: records sent, acknowledged and failed; how late it was, and whether it has ended."""

    sent: int
    acknowledged: int
    failed: int
    left: int
    """Records of the base load that are still to come."""
    late_seconds: float
    ended: bool = False


Word = Done | Standing
