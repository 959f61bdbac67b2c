"""What may go wrong in a run, as values: a schedule holds them, and shrinking takes them out one by one."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Act(StrEnum):
    """What happens. The first eight strike at an effect, the others between two steps."""

    KILL_BEFORE = "kill before"
    KILL_SENT = "kill while it is sent"
    KILL_AFTER = "kill after"
    STOP_BEFORE = "stop before"
    STOP_AFTER = "stop after"
    LOSE_REQUEST = "lose request"
    LOSE_ANSWER = "lose answer"
    REPEAT_LATE = "repeat late"
    KILL = "kill"
    STOP = "stop"
    CUT = "cut off"
    EXPEL = "expel from the group"
    REBALANCE = "rebalance"
    COMPACT = "compact changelogs"
    REPLACE = "replace while it is stopped"
    LEAVE = "stop cleanly"


AT_EFFECTS = (
    Act.KILL_BEFORE,
    Act.KILL_SENT,
    Act.KILL_AFTER,
    Act.STOP_BEFORE,
    Act.STOP_AFTER,
    Act.LOSE_REQUEST,
    Act.LOSE_ANSWER,
)
BETWEEN_STEPS = (Act.KILL, Act.STOP, Act.CUT, Act.EXPEL, Act.REBALANCE, Act.COMPACT, Act.REPLACE, Act.LEAVE)
REPEATED_OFFSETS, REPEATED_COMMIT = REPEATED = ("offsets, as a client sees them", "commit, as a client sees it")
"""Requests that a client may send twice without telling."""
EFFECTS = ("begin", "produce", "offsets", "commit", "fetch offsets", "restore")
LOSABLE = ("produce", "offsets", "commit")
"""Effects whose loss reaches the engine; librdkafka repeats the others by itself."""


class Fault(NamedTuple):
    """A fault. `at`: the step at which it strikes; or, with an `effect`, which of the slot's effects of that name."""

    act: Act
    slot: int
    at: int
    effect: str = ""
