"""Let a demo's promotion take its course: what is fed, and the clock, follow the orders that are decided.

Orders wait in a busy pipeline; the clock's ticks and the warehouses' feeds do not wait with them. Sent by the wall
clock they would come before the orders that they are for: a flash sale would be over before anybody has bought. So the
time of a promotion is that of the order that is being decided; when all are, it goes on by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.generator import Outlet
from loadtest.oracle.outcomes import DEAD_LETTER
from pipeline.desk import clock
from pipeline.desk.sending import Sender

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loadtest.promotion.making import Promotion
    from loadtest.scenario import TimedRecord
    from loadtest.watching import Moment
    from pipeline.settings import Settings

DECIDING = ("dedup", "reservation")
"""The stages that an order goes through, after ingest, until its units are held."""
STEP_SECONDS = 1.0
"""Between two ticks, of the promotion's own time, at the least."""


class Desk:
    """Where feeds and ticks go: into the log."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._outlet = Outlet(settings.kafka, settings.kafka_config)

    def feed(self, records: Iterable[TimedRecord]) -> None:
        """Send what planners and warehouses say, and wait until the log has it."""
        for record in records:
            self._outlet.send(record, [])
        self._outlet.flush()

    def tick(self, at: int) -> None:
        """Say to every stage with time limits that it is `at` (ms UTC)."""
        with Sender(self._settings) as sender:
            clock.tick(sender, at)

    def close(self) -> None:
        """Let go of the producer."""
        self._outlet.close()


class Conductor:
    """Feeds and ticks by the progress of the orders. `at_seconds` is the promotion's time, from its begin."""

    def __init__(self, promotion: Promotion, raw: Sequence[TimedRecord], desk: Desk) -> None:
        self.at_seconds = 0.0
        self.desk = desk
        self._span = promotion.span
        self._offsets = [record.offset_seconds for record in raw if record.expect != DEAD_LETTER]
        self._left = list(promotion.commands)
        self._ticked = -STEP_SECONDS
        self._all_decided_at: float | None = None
        self._feed()

    @property
    def is_over(self) -> bool:
        """Whether the promotion's clock has come to its end, and all is fed."""
        return not self._left and self.at_seconds >= self._span.clock_seconds

    def follow(self, moment: Moment) -> None:
        """Take the promotion's time forward to what has been decided by now, feed what is due, and tick."""
        decided = moment.counts.received - sum(moment.scrape.lag_records.get(stage, 0) for stage in DECIDING)
        if decided < len(self._offsets):
            at_seconds = self._offsets[max(0, decided)]
        else:
            self._all_decided_at = moment.at if self._all_decided_at is None else self._all_decided_at
            at_seconds = self._offsets[-1] + moment.at - self._all_decided_at
        self.at_seconds = max(self.at_seconds, at_seconds)
        self._feed()
        if self.at_seconds - self._ticked >= STEP_SECONDS:
            self._ticked = self.at_seconds
            self.desk.tick(self._span.begin_ms + int(self.at_seconds * 1000))

    def _feed(self) -> None:
        due = [record for record in self._left if record.offset_seconds <= self.at_seconds]
        self._left = self._left[len(due) :]
        if due:
            self.desk.feed(due)
