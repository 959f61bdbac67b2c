"""When a worker commits: a commit costs the broker about the same, whatever is in it. Pure."""

from __future__ import annotations

PACED_RECORDS = 32
"""A commit of so many records or more is followed by a pause as long as it took; one of fewer by its share of that."""
WAIT_SHARE = 0.1
"""Of what a record has waited before it was read, so much longer it may wait for a commit."""
PATIENCE_SECONDS_MAX = 1.0


def pause_seconds(took_seconds: float, records: int, interval_seconds: float) -> float:
    """Give the pause after a commit that took so long and had so many records.

    On an idle broker no order waits for a pause, on a busy one commits become fewer.
    """
    return min(took_seconds * min(1.0, records / PACED_RECORDS), interval_seconds)


def patience_seconds(waited_seconds: float, interval_seconds: float) -> float:
    """Give how long a commit waits at most for a moment without input, where a record has waited so long.

    Where orders wait for seconds anyway, commits become few and large: the time is better spent on orders.
    """
    return max(interval_seconds, min(WAIT_SHARE * waited_seconds, PATIENCE_SECONDS_MAX))
