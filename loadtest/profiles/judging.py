"""What a load is judged by: the independent check, or its times alone where there is too much for the check."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import orjson
import psutil

from loadtest.counts import read_outcomes
from loadtest.latency import DECIDED
from loadtest.oracle.emitted import ORDER_EVENTS, fact
from loadtest.oracle.history import SCANNED, History
from loadtest.oracle.log import read_topic
from loadtest.oracle.outcomes import outcomes
from loadtest.oracle.privacy import Lookout
from loadtest.oracle.received import read_raw
from loadtest.oracle.verdict import check_all, read_history
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.deployment import Site
    from loadtest.oracle.checks import Finding
    from loadtest.oracle.history import Fact
    from loadtest.oracle.log import Broker

CHECK_BYTES_PER_ORDER = 40_000
"""What the independent check keeps of an order, with all its commands and events, at most (orders of 1 to 3 lines)."""
TIMED = DECIDED | {"OrderReceived", "HoldPlaced"}
"""The events that times are taken of."""


class Judged(NamedTuple):
    """A run's history, and what the check found; nothing where it was not asked."""

    history: History
    findings: list[Finding]
    outcomes: dict[str, int]


def check_memory(orders: int) -> None:
    """Raise SettingsError where the check will want more memory than there is: an hour later it would be too late."""
    wanted, there = orders * CHECK_BYTES_PER_ORDER, psutil.virtual_memory().available
    if wanted > there:
        message = (
            f"the independent check of {orders:,} orders wants about {wanted / 1e9:.0f} GB of memory, and "
            f"{there / 1e9:.0f} GB are there: take less with --seconds or --scale, or go without it with --unjudged"
        )
        raise SettingsError(message)


def judge_all(place: Site, *, recorded: bool) -> Judged:
    """Read everything afresh, and put it to the independent check.

    Orders that a shop recorded have no canaries in their addresses: privacy is not judged of them.
    """
    history = read_history(place.sources)
    if recorded and not history.scanned.sown:
        history = replace(history, absent=history.absent | {SCANNED})
    ended = Counter("+".join(sorted(found)) or "none" for found in outcomes(history).values())
    return Judged(history, check_all(history), dict(ended))


def read_times(place: Site) -> Judged:
    """Read what was sent and what was decided, and no more; the outcomes are ClickHouse's. Raises TransientError."""
    broker = place.sources.broker
    history = History(raw=read_raw(broker, Lookout()), facts=list(_timed(broker)))
    return Judged(history, [], read_outcomes(place.settings.clickhouse))


def _timed(broker: Broker) -> Iterator[Fact]:
    for record in read_topic(broker, ORDER_EVENTS):
        body = orjson.loads(record.value() or b"{}")
        if body.get("event") in TIMED:
            yield fact(body, record.partition() or 0, record.offset() or 0, record.timestamp()[1])._replace(
                body={}, event_id="", cause=""
            )
