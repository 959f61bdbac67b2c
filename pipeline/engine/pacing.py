"""How long a worker waits after a commit: a commit costs the broker about the same, whatever is in it. Pure."""

from __future__ import annotations

PACED_RECORDS = 32
"""A commit of so many records or more is followed by a pause as long as it took; one of fewer by its share of that."""
PAUSES_BEHIND = 4
"""How much longer than a commit the pause after it is where records have waited long before they were read."""
WAIT_SHARE = 0.1
"""Of what a record has waited, so much longer may it wait for a commit."""
PAUSE_SECONDS_MAX = 1.0


def pause_seconds(took_seconds: float, records: int, waited_seconds: float, interval_seconds: float) -> float:
    """Give the pause after a commit that took so long and had so many records, one of which had waited so long.

    On an idle broker no order waits for a pause, on a busy one commits become fewer. Where orders wait for seconds
    anyway, commits become few and large: the time is better spent on orders.
    """
    behind_seconds = min(WAIT_SHARE * waited_seconds, PAUSE_SECONDS_MAX)
    if behind_seconds > interval_seconds:
        return min(PAUSES_BEHIND * took_seconds, behind_seconds)
    return min(took_seconds * min(1.0, records / PACED_RECORDS), interval_seconds)
