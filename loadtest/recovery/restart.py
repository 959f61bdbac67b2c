"""Kill the one worker of a deployment, again and again, and see where the time until its successor's commit goes."""

from __future__ import annotations

import time
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from loadtest.deployment import deployed
from loadtest.killing import VICTIM, Killer
from loadtest.scenario import Scenario, Shares, schedule, write_scenario
from loadtest.scraping import samples_of, scrape
from loadtest.sending import sending
from pipeline.errors import SetupError
from pipeline.services.process import log_tail, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loadtest.deployment import Deployment, Site
    from loadtest.journey import ShopOrder

TRICKLE_PER_SECOND = 20.0
BACK_SECONDS = 60.0
"""A successor that has not committed by then does not come back."""
SETTLE_SECONDS = 3.0
"""Between a first commit and the next kill: all stages are at work again."""
LOOK_SECONDS = 0.02
CHECKED, TOOK = " serves metrics on port ", " partitions in generation "
RESTORE_SECONDS = "holdfast_restore_seconds_sum"


class Restart(msgspec.Struct, frozen=True, kw_only=True):
    """A kill, and when what was reached, in seconds after it. `restore_seconds` is how long the restore took."""

    started: float
    """The supervisor has started the successor's process."""
    checked: float
    """It has read its modules and checked the topics."""
    restored: float
    """It has joined the group and restored its tables."""
    committed: float
    restore_seconds: float


def measure_restarts(place: Site, orders: Sequence[ShopOrder], kills: int) -> list[Restart]:
    """Run a deployment of one worker under a trickle of orders, and kill the worker so often. Raises SetupError."""
    scenario = place.run_dir / "trickle.msgpack"
    write_scenario(
        Scenario(schedule(orders, TRICKLE_PER_SECOND, 1, Shares()), TRICKLE_PER_SECOND),
        scenario,
    )
    with deployed(place, 1) as deployment, sending(place, scenario):
        return [_restart(deployment) for _ in range(kills)]


def _restart(deployment: Deployment) -> Restart:
    log = deployment.place.run_dir / "logs" / f"{VICTIM}.log"
    if not wait_until(lambda: _commits(deployment) > 0, BACK_SECONDS):
        message = f"{VICTIM} does not commit\n{log_tail(log)}"
        raise SetupError(message)
    time.sleep(SETTLE_SECONDS)
    killer = Killer(deployment)
    size, killed_at = log.stat().st_size, time.time()
    killed = killer.strike()
    if killed is None:
        message = f"{VICTIM} was not there to be killed\n{log_tail(log)}"
        raise SetupError(message)
    deadline = time.monotonic() + BACK_SECONDS
    started = None
    while killer.waiting and killer.look() is None:
        deployment.check()
        if started is None and deployment.processes()[VICTIM].pid != killed.pid:
            started = time.time()
        if time.monotonic() > deadline:
            message = f"{VICTIM} has not committed {BACK_SECONDS:g} s after it was killed\n{log_tail(log)}"
            raise SetupError(message)
        time.sleep(LOOK_SECONDS)
    said, kill = _said(log, size), killer.kill
    return Restart(
        started=(started or killed_at) - killed_at,
        checked=time_of(said, CHECKED) - killed_at,
        restored=time_of(said, TOOK) - killed_at,
        committed=(kill and kill.back_after_seconds) or 0.0,
        restore_seconds=_restore_seconds(deployment),
    )


def _commits(deployment: Deployment) -> int:
    process = deployment.processes().get(VICTIM)
    return scrape([process]).commits.get(process.pid, 0) if process else 0


def _restore_seconds(deployment: Deployment) -> float:
    return sum(value for name, _, value in samples_of(_page(deployment)) if name == RESTORE_SECONDS)


def _page(deployment: Deployment) -> str:
    with urllib.request.urlopen(deployment.processes()[VICTIM].metrics) as response:  # noqa: S310 - a worker's own
        text: str = response.read().decode()
        return text


def _said(log: Path, begin: int) -> list[str]:
    with log.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace").splitlines()


def time_of(lines: Sequence[str], words: str) -> float:
    """Give the time of the first line with these words, as the workers' logs have it: `2026-01-31 12:00:00,123 …`."""
    for line in lines:
        if words in line:
            with suppress(ValueError):
                date, milliseconds = line[:19], line[20:23]
                return time.mktime(time.strptime(date, "%Y-%m-%d %H:%M:%S")) + int(milliseconds) / 1000
    return float("nan")
