"""`python -m loadtest.chaos.series`: chaos runs one after the other over one set of servers, as `mutants` wants them.

Each line of the standard input is a JSON array: the file for what a run says, and the options that
`python -m loadtest chaos` takes. Each is answered with a line on the standard output when its run is over. Between two
runs the servers are emptied, and the next run has a deployment name of its own. Processes come from a nursery.
"""

from __future__ import annotations

import shutil
import sys
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from rich.console import Console

from agents import stages
from loadtest.chaos.ground import prepared
from loadtest.chaos.main import carry_through, draw, interruptible, read_options
from loadtest.chaos.nursery import nursery
from loadtest.deployment import Site, site
from loadtest.options import INTERRUPTED, write_json
from loadtest.oracle.stored import query
from pipeline.engine.provision import provision
from pipeline.errors import HoldfastError, SetupError
from pipeline.services import bring_up
from pipeline.settings import ENDPOINTS_FILE, SERVICES, VARIABLES, read_settings

if TYPE_CHECKING:
    import argparse

    from loadtest.chaos.ground import Ground

OF_THE_SERVERS = {"services", ENDPOINTS_FILE, "services.lock", "shop-pools.json", "proxy", "clock"}
"""What stays in the run directory from one run to the next."""
CHECKPOINT_WAIT_SECONDS = 12.0
"""Longer than a transaction may last, and shorter than the product waits: a mutant that must refuse does so soon."""
REQUEST_SECONDS = 30.0
POLL_SECONDS = 0.1
COLUMNS = 200


class Series:
    """The servers, and the runs over them."""

    def __init__(self, ground: Ground, stack: ExitStack) -> None:
        self._ground = ground
        self._stack = stack
        self._base: Site | None = None
        self._runs = 0

    def run(self, options: argparse.Namespace, out: Console) -> None:
        """Make one run, and write its outcome where the options say. Raises SetupError, SettingsError."""
        plan = draw(options, self._ground)
        if self._base is None:
            self._base = self._stack.enter_context(site(plan.load.pools, keep=False))
            self._ground.stand(self._base.run_dir)
        else:
            empty(self._base)
        self._runs += 1
        place = self._place(self._base)
        provide_topics(place)
        outcome = carry_through(out, options, plan, place, self._ground)
        if options.json:
            write_json(options.json, outcome)

    def _place(self, base: Site) -> Site:
        """Give the site a deployment name that none had before."""
        environ = {
            **base.environ,
            VARIABLES["deployment"]: f"{base.settings.deployment}-{self._runs}",
            VARIABLES["checkpoint_wait_seconds"]: str(CHECKPOINT_WAIT_SECONDS),
        }
        return Site(base.run_dir, read_settings(environ, needs=SERVICES), environ)


def empty(place: Site) -> None:
    """Start again what has died of the servers, and remove all that a run has left in them. Raises SetupError."""
    bring_up(place.run_dir)
    _remove_topics(place)
    clickhouse = place.settings.clickhouse
    tables = query(clickhouse, "SELECT name, engine FROM system.tables WHERE database = currentDatabase()")
    for name, engine in sorted(tables, key=lambda table: "View" not in table[1]):
        _command(clickhouse, f"DROP {'VIEW' if 'View' in engine else 'TABLE'} IF EXISTS `{name}` SYNC")
    with redis.Redis.from_url(place.settings.redis) as client:
        client.flushall()
    for path in place.run_dir.iterdir():
        if path.name in OF_THE_SERVERS:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _command(clickhouse: str, sql: str) -> None:
    with urllib.request.urlopen(clickhouse, sql.encode(), REQUEST_SECONDS) as response:  # noqa: S310 - our own address
        response.read()


def _remove_topics(place: Site) -> None:
    admin = AdminClient({**place.settings.kafka_config, "bootstrap.servers": place.settings.kafka})
    deadline = time.monotonic() + REQUEST_SECONDS
    while names := [name for name in admin.list_topics(timeout=REQUEST_SECONDS).topics if not name.startswith("__")]:
        if time.monotonic() > deadline:
            message = f"these topics cannot be removed: {', '.join(names)}"
            raise SetupError(message)
        for future in admin.delete_topics(names).values():
            future.exception(REQUEST_SECONDS)  # one that is gone already is asked for no more
        time.sleep(POLL_SECONDS)


def provide_topics(place: Site) -> None:
    """Create the topics; a broker that has just removed others of the same names needs a while to lead the new ones."""
    deadline = time.monotonic() + REQUEST_SECONDS
    while True:
        try:
            provision(place.settings, stages(place.settings))
        except KafkaException as error:
            if time.monotonic() > deadline:
                message = f"the topics cannot be created: {error}"
                raise SetupError(message) from error
            time.sleep(POLL_SECONDS)
        else:
            return


def main() -> int:
    """Make the runs that come in. Gives 0 at the end of the input."""
    with ExitStack() as stack:
        try:
            stack.enter_context(interruptible())
            ground = stack.enter_context(prepared(has_disk=False))
            ground.spawn = stack.enter_context(nursery()).spawn
            series = Series(ground, stack)
            for line in sys.stdin:
                log, *arguments = msgspec.json.decode(line, type=list[str])
                _run_one(series, Path(log), arguments)
                print(log, flush=True)
        except KeyboardInterrupt:
            return INTERRUPTED
    return 0


def _run_one(series: Series, log: Path, arguments: list[str]) -> None:
    with log.open("w") as told:
        out = Console(file=told, width=COLUMNS)
        try:
            series.run(read_options(arguments), out)
        except HoldfastError as error:
            out.print(f"chaos: {error}", markup=False)


if __name__ == "__main__":
    raise SystemExit(main())
