"""A wall clock that can be set while a worker runs: the test build reads `time.time` through it.

It changes what Python sees as the date, which is all of the product that looks at it; timeouts run on the monotonic
clock. libfaketime was tried and does not serve: it fakes what librdkafka reads and not the waits that librdkafka ends
by it (C11's `cnd_timedwait`, within the C library): each jump ahead stops its threads for as long as the jump, and
each jump back has them wait without rest.
"""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "HOLDFAST_CLOCK_FILE"
OFFSET = struct.Struct("<q")
NANOSECONDS = 1_000_000_000


class WallClock:
    """The clock of the processes that are started with `environ`."""

    def __init__(self, file: Path) -> None:
        """Take the file to be written: eight bytes, how many seconds the clock is off."""
        self._file = file.resolve()
        self._file.write_bytes(OFFSET.pack(0))

    @property
    def environ(self) -> Mapping[str, str]:
        """What puts a test build under this clock from its start."""
        return {VARIABLE: str(self._file)}

    def set(self, offset_seconds: int) -> None:
        """Make it go wrong by so much; 0: right. It is seen at once."""
        with self._file.open("r+b") as file:
            file.write(OFFSET.pack(offset_seconds))


def arm(environ: Mapping[str, str]) -> None:
    """Put this process under the clock that the environment names, if it names one; before anything imports `time`."""
    if VARIABLE not in environ:
        return
    with Path(environ[VARIABLE]).open("rb") as file:
        page = mmap.mmap(file.fileno(), OFFSET.size, prot=mmap.PROT_READ)
    right, right_ns = time.time, time.time_ns

    def wrong() -> float:
        return right() + float(OFFSET.unpack_from(page)[0])

    def wrong_ns() -> int:
        return right_ns() + int(OFFSET.unpack_from(page)[0]) * NANOSECONDS

    time.time, time.time_ns = wrong, wrong_ns
