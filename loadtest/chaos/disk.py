"""A small disk for the broker's data, and the fault that fills it.

The disk is a tmpfs of its own, which is made smaller than what is written to it next: the broker gets ENOSPC on a write
and ends itself. It takes a root who may mount; elsewhere there is no such disk, and the fault is left out of a run.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from loadtest.chaos.fault import Kind, Proof
from pipeline.errors import SetupError
from pipeline.services import bring_up
from pipeline.services.process import is_alive, kill, wait_until
from pipeline.services.roster import processes, service_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from loadtest.chaos.fault import Params
    from loadtest.chaos.rig import Rig

SOURCE = "holdfast-chaos"
"""What /proc/mounts calls a disk of this module."""
DISK_MB = 4096
"""Room for the topics of a long run: memory is taken only for what is written."""
MOUNT_SECONDS = 20.0
FULL_SECONDS = 40.0
"""How long the broker may take to find its disk full, with the load running."""
NO_SPACE = "No space left on device"
KAFKA = "kafka"


class Disk:
    """A mounted disk."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def squeeze(self, left_kb: int) -> int:
        """Leave room for so much more, and nothing else. Gives how much is written to it, in KiB. Raises SetupError."""
        found = os.statvfs(self.directory)
        used_kb = (found.f_blocks - found.f_bfree) * found.f_frsize // 1024
        self._resize(used_kb + left_kb)
        return used_kb

    def free(self) -> None:
        """Give it its full size again. Raises SetupError."""
        self._resize(DISK_MB * 1024)

    def _resize(self, size_kb: int) -> None:
        _run("mount", "-o", f"remount,size={size_kb}k", str(self.directory))


@contextmanager
def small_disk() -> Iterator[Disk]:
    """Have a disk for a block of code; nothing of it is left afterwards. Raises SetupError where none can be mounted.

    Disks of processes that were killed before they could clean up are removed first.
    """
    _sweep()
    directory = Path(tempfile.mkdtemp(prefix=f"{SOURCE}-{os.getpid()}-"))
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0755", SOURCE, str(directory))
        try:
            (directory / "data").mkdir()
            yield Disk(directory)
        finally:
            _unmount(directory)
    finally:
        with suppress(OSError):
            directory.rmdir()


def _sweep() -> None:
    for line in Path("/proc/mounts").read_text().splitlines():
        source, directory, *_ = line.split()
        owner = re.search(rf"/{SOURCE}-(\d+)-[^/]*$", directory)
        if source == SOURCE and owner and not psutil.pid_exists(int(owner[1])):
            _unmount(Path(directory))
            with suppress(OSError):
                Path(directory).rmdir()


def _unmount(directory: Path) -> None:
    """Take the disk away even while a process that is about to end has files open on it."""
    _run("umount", "--lazy", str(directory))


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=MOUNT_SECONDS)  # noqa: S603
    except subprocess.CalledProcessError as error:
        message = f"`{' '.join(command)}`: {error.stderr.strip()}"
        raise SetupError(message) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"`{' '.join(command)}`: {error}"
        raise SetupError(message) from error


class DiskFull:
    """The broker's disk runs full under load; the broker ends, the disk gets room, the broker is started again."""

    def __init__(self, rig: Rig, params: Params) -> None:
        self.target = KAFKA
        self._run_dir = rig.place.run_dir
        self._ground = rig.ground
        self._left_kb = int(params["left_kb"])
        self._log = service_directory(self._run_dir, KAFKA) / "server.log"
        self._log_bytes = 0
        self._used_kb = 0
        self._ended = False

    def inject(self) -> None:
        """Leave little room, and wait until the broker has ended for want of more. Raises SetupError."""
        self._log_bytes = self._log.stat().st_size
        self._used_kb = self._disk.squeeze(self._left_kb)
        self._ended = wait_until(lambda: not is_alive(processes(self._run_dir)[KAFKA]), FULL_SECONDS)

    @property
    def _disk(self) -> Disk:
        if self._ground is None or self._ground.disk is None:
            message = "the broker's data is not on a disk of its own"
            raise SetupError(message)
        return self._ground.disk

    def heal(self) -> None:
        """Give room, and have a broker again: one that has lost its disk without ending is killed first."""
        self._disk.free()
        if self._refused_writes():
            kill(processes(self._run_dir)[KAFKA])
        bring_up(self._run_dir, (KAFKA,))

    def _refused_writes(self) -> int:
        with self._log.open("rb") as file:
            file.seek(self._log_bytes)
            return file.read().decode(errors="replace").count(NO_SPACE)

    def proof(self) -> Proof:
        """Say whether the broker was refused a write."""
        refused = self._refused_writes()
        evidence = (
            f"{self._used_kb} KiB written, room for {self._left_kb} KiB left: the broker's log has {refused} times "
            f"{NO_SPACE!r}; it {'ended by itself' if self._ended else f'did not end within {FULL_SECONDS:g} s'}"
        )
        return Proof(refused > 0, evidence, {"refused_writes": refused, "ended": int(self._ended)})


def _draw(chance: Random) -> Params:
    return {"left_kb": chance.choice((64, 256, 1024))}


KINDS = (Kind("disk-full", DiskFull, _draw, KAFKA, 1, proof_seconds=0.0),)
