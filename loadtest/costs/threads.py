"""The CPU time of a process by kind of thread, as the kernel counts it: no profiler, so nothing is slowed down."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
USER, SYSTEM = 11, 12
"""Places in /proc/PID/task/TID/stat behind the name, see proc(5)."""
NUMBER = re.compile(r"[-:#/ ]*\d+.*$")


def thread_seconds(pid: int) -> dict[str, float]:
    """Give the CPU seconds so far by kind of thread: its name without its number, `main` for the first one."""
    seconds: dict[str, float] = defaultdict(float)
    for task in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError):
            head, _, rest = task.read_text().rpartition(")")
            fields = rest.split()
            name = "main" if task.parent.name == str(pid) else NUMBER.sub("", head.partition("(")[2])
            seconds[name] += (int(fields[USER]) + int(fields[SYSTEM])) / TICKS_PER_SECOND
    return seconds
