"""While the broker cannot be reached, other faults cannot prove themselves, and a worker may refuse to start."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Outage:
    """Which faults without which the group cannot work are on, and when the last one ended."""

    def __init__(self) -> None:
        self._on = 0
        self._ended = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def during(self) -> Iterator[None]:
        """Have one for a block of code."""
        with self._lock:
            self._on += 1
        try:
            yield
        finally:
            with self._lock:
                self._on -= 1
                self._ended = time.monotonic()

    def within(self, seconds: float) -> bool:
        """Say whether one is on, or ended less than so many seconds ago."""
        return self._on > 0 or (self._ended > 0 and time.monotonic() - self._ended < seconds)
