"""`python -m loadtest recovery`: what a restart costs a worker that remembers a million orders.

The changelogs are filled by the real stages, folded over real orders in this process. Then three things are measured:
a restore of all tables in a process of its own, its speed and what memory it leaves taken; the same where nothing has
moved to pages yet, each entry a record of its own; and a real worker on these tables, killed with SIGKILL while orders
trickle in, until its successor has committed.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from loadtest.deployment import Site, provision, site
from loadtest.options import at_least, writable, write_json
from loadtest.recovery.filling import Filled, fill
from loadtest.recovery.orders import read_window
from loadtest.recovery.restart import Restart, measure_restarts
from loadtest.recovery.restoring import Restored
from loadtest.recovery.showing import Result, judge, show
from loadtest.showing import console
from pipeline.engine.worker import GARBAGE_THRESHOLDS
from pipeline.errors import SetupError
from pipeline.services import running
from pipeline.settings import ROOT, VARIABLES, read_settings

if TYPE_CHECKING:
    from rich.console import Console

    from loadtest.recovery.orders import Window

SEED = 7
UNPAGED = 1_000_000_000
"""Settled entries that never are enough for a page."""


def main(arguments: list[str]) -> int:
    """Measure. Gives 0 only if every target is met."""
    parser = argparse.ArgumentParser(prog="python -m loadtest recovery", description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000, help="remembered orders (%(default)s)")
    parser.add_argument("--unpaged-orders", type=int, default=100_000, help="without pages (%(default)s; 0: none)")
    parser.add_argument("--open-orders", type=int, default=10_000, help="of them on their way (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="restores of each kind (%(default)s)")
    parser.add_argument("--kills", type=int, default=5, help="kills of the worker (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the result to this file as data")
    parser.add_argument("--keep", action="store_true", help="leave servers and data as they are in the end")
    options = parser.parse_args(arguments)
    at_least(1, orders=options.orders, rounds=options.rounds)
    at_least(0, unpaged_orders=options.unpaged_orders, open_orders=options.open_orders, kills=options.kills)
    writable(json=options.json)
    out = console()
    result = measure(out, options)
    show(out, result)
    if options.json:
        write_json(options.json, result)
    return 0 if result.held else 1


def measure(out: Console, options: argparse.Namespace) -> Result:
    """Fill and measure, on servers of its own. Raises SetupError."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    window = read_window(options.orders, SEED)
    with site(window.pools, keep=options.keep) as place:
        out.print(f"servers: Kafka {place.settings.kafka}, in {place.run_dir}")
        provision(place)
        filled = _filled(out, place, window, options)
        restored = _restore(place, options.rounds)
        restarts: list[Restart] = []
        if options.kills:
            out.print(f"killing a worker {options.kills} times")
            restarts = measure_restarts(place, window.orders, options.kills)
        unpaged_filled, unpaged = _unpaged(out, place, options) if options.unpaged_orders else (None, None)
    if options.keep:
        stop = f"HOLDFAST_RUN_DIR={place.run_dir} python -m pipeline services down && rm -r {place.run_dir}"
        out.print(f"kept; to stop the servers and remove the data: {stop}")
    return judge(filled, restored, unpaged_filled, unpaged, restarts)


def _filled(out: Console, place: Site, window: Window, options: argparse.Namespace) -> Filled:
    began = time.monotonic()
    filled = fill(place.settings, window, options.orders, options.open_orders)
    out.print(
        f"filled: {filled.orders:,} orders, {filled.records:,} changelog records, {filled.bytes / 1e6:,.0f} MB, "
        f"in {time.monotonic() - began:.0f} s"
    )
    return filled


def _unpaged(out: Console, place: Site, options: argparse.Namespace) -> tuple[Filled, Restored]:
    """Measure a restore without pages, on a broker of its own."""
    directory = place.run_dir / "unpaged"
    directory.mkdir()
    options = argparse.Namespace(**{**vars(options), "orders": options.unpaged_orders})
    with running(directory, ("kafka",)) as addresses:
        environ = {
            **place.environ,
            VARIABLES["run_dir"]: str(directory),
            VARIABLES["kafka"]: addresses["kafka"],
            VARIABLES["page_entries"]: str(UNPAGED),
        }
        beside = Site(directory, read_settings(environ, needs=("kafka",)), environ)
        provision(beside)
        filled = _filled(out, beside, read_window(options.orders, SEED), options)
        return filled, _restore(beside, options.rounds)


def _restore(place: Site, rounds: int) -> Restored:
    """Restore in a process of its own. Raises SetupError."""
    done = subprocess.run(  # noqa: S603 - the project's own command
        [sys.executable, "-m", "loadtest.recovery.restoring", "--rounds", str(rounds)],
        cwd=ROOT,
        env=dict(place.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        message = f"the restore failed with status {done.returncode}:\n{done.stderr.decode()[-2000:]}"
        raise SetupError(message)
    return msgspec.json.decode(done.stdout, type=Restored)
