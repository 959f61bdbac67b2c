"""Watch a run: what it does now, and whether it has come to rest."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rich.live import Live

from loadtest.counts import ON_THE_WAY, Counts, read_counts, read_outcomes
from loadtest.scraping import Scrape, scrape
from loadtest.showing import progress_line, progress_table
from pipeline.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console

    from loadtest.deployment import Site, UpProcess

SHOW_SECONDS = 1.0
QUIET_SECONDS = 2.0
"""A run is at rest when nothing waits, no order is on its way, and no event has come for so long."""
NOTHING = Counts(0, 0, 0, 0, 0, 0, 0)


class Watched(Protocol):
    """What can be watched: a deployment, the rig of a chaos run."""

    @property
    def place(self) -> Site:
        """Where it is."""

    def check(self) -> None:
        """Raise SetupError when it has given up."""

    def processes(self) -> Mapping[str, UpProcess]:
        """Give the processes that run now, by name."""


class Moment(NamedTuple):
    """What was seen at a monotonic time."""

    at: float
    counts: Counts
    scrape: Scrape

    @property
    def waiting(self) -> int:
        """The records that wait for a stage."""
        return sum(self.scrape.lag_records.values())


class Watch:
    """Looks at a deployment, and shows what it sees: a live table on a terminal, else a line a second."""

    def __init__(self, out: Console, deployment: Watched) -> None:
        self.began = time.monotonic()
        self._out = out
        self._deployment = deployment
        self._clickhouse = deployment.place.settings.clickhouse
        self._last = Moment(self.began, NOTHING, Scrape(Counter(), {}, {}))
        self._changed = self.began
        self._live: Live | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep a live table on the screen for a block of code, where the screen can."""
        if not self._out.is_terminal:
            yield
            return
        with Live(console=self._out, transient=True, auto_refresh=False) as self._live:
            yield
        self._live = None

    def say(self, text: str) -> None:
        """Print a line."""
        self._out.print(text, markup=False)

    def look(self) -> Moment:
        """Look at the deployment. Raises SetupError when it has given up."""
        self._deployment.check()
        try:
            counts = read_counts(self._clickhouse)
        except TransientError:
            counts = self._last.counts  # the sink makes the tables when it starts
        now = time.monotonic()
        if counts.events != self._last.counts.events:
            self._changed = now
        return Moment(now, counts, scrape(self._deployment.processes().values()))

    def show(self, sent: int) -> Moment:
        """Look, and show what is seen."""
        moment = self.look()
        rate = (moment.counts.received - self._last.counts.received) / max(moment.at - self._last.at, 1e-9)
        seen = (moment.counts, moment.scrape)
        if self._live is not None:
            self._live.update(progress_table(moment.at - self.began, sent, rate, seen), refresh=True)
        else:
            self.say(progress_line(moment.at - self.began, sent, rate, seen))
        self._last = moment
        return moment

    def at_rest(self, moment: Moment) -> bool:
        """Say whether the run is over. One that has received no order yet has not begun."""
        if not moment.counts.received or moment.waiting or moment.at - self._changed < QUIET_SECONDS:
            return False
        return not ON_THE_WAY & set(read_outcomes(self._clickhouse))

    def on_the_way(self) -> str:
        """Say how many orders have no outcome yet, and where they stand."""
        found = read_outcomes(self._clickhouse)
        return ", ".join(f"{found[outcome]} {outcome}" for outcome in sorted(ON_THE_WAY & set(found))) or "none open"

    def wait(self, sent: Callable[[], int], done: Callable[[Moment], bool], within_seconds: float) -> bool:
        """Show the run every second until `done` says so. Gives False when that takes too long."""
        deadline = time.monotonic() + within_seconds
        while True:
            moment = self.show(sent())
            if done(moment):
                return True
            if moment.at > deadline:
                return False
            time.sleep(SHOW_SECONDS)
