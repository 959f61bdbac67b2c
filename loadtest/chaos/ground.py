"""What a chaos run stands on besides its servers: a proxy before the broker, a small disk, a clock that can be set.

    with prepared() as ground, site(…) as place:
        ground.stand(place.run_dir)
        rig = Rig(place, Shape(workers, environ, ground.by_slot(workers)), …)

The broker learns of proxy and disk from the environment, so `prepared` comes before the servers.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from loadtest.chaos import proxy
from loadtest.chaos.disk import small_disk
from loadtest.chaos.spawning import spawn
from loadtest.chaos.wall_clock import WallClock
from pipeline.errors import SetupError
from pipeline.services.kafka import DATA_VARIABLE, PROXY_PORT_VARIABLE, behind_proxy
from pipeline.services.process import free_port
from pipeline.services.roster import service_directory
from pipeline.settings import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from loadtest.chaos.disk import Disk
    from loadtest.chaos.proxy import Proxy
    from loadtest.chaos.spawning import Spawn

CLOCK_SLOT = 0
"""The slot of the worker whose clock can be set; the others tell the right time."""


class Ground:
    """The proxy, the disk and the clock of a run; the disk is None where none can be mounted."""

    def __init__(self, proxy_port: int, stack: ExitStack) -> None:
        self.proxy: Proxy | None = None
        self.disk: Disk | None = None
        self.clock: WallClock | None = None
        self.clock_slot = CLOCK_SLOT
        self.spawn: Spawn = spawn
        """How the rig's processes are started."""
        self.absent: dict[str, str] = {}
        """Kinds of faults that are left out here, and why."""
        self._proxy_port = proxy_port
        self._stack = stack

    def stand(self, run_dir: Path) -> None:
        """Start the proxy, and set up the clock, once the broker of a run directory is up. Raises SetupError."""
        broker = behind_proxy(service_directory(run_dir, "kafka"))
        self.proxy = proxy.start(run_dir / "proxy", self._proxy_port, broker)
        self._stack.callback(self.proxy.stop)
        self.clock = WallClock(run_dir / "clock")

    def by_slot(self, workers: int) -> dict[int, Mapping[str, str]]:
        """Give the variables of the workers: all are on the proxy, one is under the clock."""
        if self.proxy is None:
            message = "by_slot: the ground does not stand yet"
            raise SetupError(message)
        found: dict[int, Mapping[str, str]] = {
            slot: {VARIABLES["kafka"]: self.proxy.address} for slot in range(workers)
        }
        if self.clock is not None:
            found[self.clock_slot] = {**found[self.clock_slot], **self.clock.environ}
        return found


@contextmanager
def prepared(*, has_disk: bool = True) -> Iterator[Ground]:
    """Prepare the ground for a block of code, in this process's environment too; nothing of it is left afterwards.

    Without a disk of its own the broker's data outlives the block.
    """
    before = dict(os.environ)
    port = free_port()
    with ExitStack() as stack:
        ground = Ground(port, stack)
        try:
            if has_disk:
                ground.disk = stack.enter_context(small_disk())
                os.environ[DATA_VARIABLE] = str(ground.disk.directory / "data")
            else:
                ground.absent["disk-full"] = "the data is to be kept, and such a disk is not"
        except SetupError as error:
            ground.absent["disk-full"] = str(error)
        os.environ[PROXY_PORT_VARIABLE] = str(port)
        try:
            yield ground
        finally:
            for name in (DATA_VARIABLE, PROXY_PORT_VARIABLE):
                os.environ.pop(name, None)
                if name in before:
                    os.environ[name] = before[name]
