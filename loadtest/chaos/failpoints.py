"""Named places around the broker calls of a worker, at which the test build ends or stops its own process.

    begin.before, begin.after      a transaction is begun
    produce.before, produce.after  a record is handed to the producer
    offsets.before, offsets.after  the offsets are sent into the transaction
    commit.before, commit.after    the transaction is committed; after: it was answered, and nothing is done with it yet
    restore.before, restore.after  tables are restored; after: they are complete, and not in use yet

The shipped engine has no such places: `arm` wraps its producer and its restorer from outside.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

from loadtest.chaos.patching import swap
from pipeline.engine import clients
from pipeline.engine.restore import Restorer
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.settings import Settings

VARIABLE = "HOLDFAST_FAILPOINT"
RECORD_FILE = "failpoints.jsonl"
"""In the run directory: a line for each failpoint that fired, on the disk before the process ends."""
CALLS = {
    "begin": "begin_transaction",
    "produce": "produce",
    "offsets": "send_offsets_to_transaction",
    "commit": "commit_transaction",
}
"""What the places stand around: methods of the transactional producer."""
RESTORE = "restore"
NAMES = tuple(f"{place}.{side}" for place in (*CALLS, RESTORE) for side in ("before", "after"))
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class Failpoint(NamedTuple):
    """Where a process ends: at the hit with this number (from 1), by this signal. It happens once."""

    name: str
    hit: int
    action: str = "kill"


def read_failpoint(environ: Mapping[str, str]) -> Failpoint | None:
    """Read HOLDFAST_FAILPOINT, `<name>:<hit number>[:kill|stop]`; None without it. Raises SettingsError."""
    text = environ.get(VARIABLE, "")
    if not text:
        return None
    name, _, rest = text.partition(":")
    number, _, action = rest.partition(":")
    failpoint = Failpoint(name, int(number) if number.isascii() and number.isdigit() else 0, action or "kill")
    if name not in NAMES or failpoint.hit < 1 or failpoint.action not in SIGNALS:
        message = f"{VARIABLE}: must be <{'|'.join(NAMES)}>:<hit number>[:kill|stop] (it is {text!r})"
        raise SettingsError(message)
    return failpoint


def arm(failpoint: Failpoint) -> None:
    """Wrap what the failpoint stands around. Raises SetupError where the engine has changed its shape."""
    place, _, side = failpoint.name.partition(".")
    if place == RESTORE:
        _arm_restore(failpoint, side)
    else:
        _arm_producer(failpoint, CALLS[place], side)


class _Trap:
    """Counts the hits of a failpoint, and springs at its number."""

    def __init__(self, failpoint: Failpoint, settings: Settings) -> None:
        self._failpoint = failpoint
        self._settings = settings
        self._hits = 0
        self._lock = threading.Lock()

    def hit(self) -> None:
        with self._lock:
            self._hits += 1
            if self._hits == self._failpoint.hit:
                self._write()
                os.kill(os.getpid(), SIGNALS[self._failpoint.action])

    def _write(self) -> None:
        line = {
            "failpoint": self._failpoint.name,
            "pid": os.getpid(),
            "slot": self._settings.slot,
            "hit": self._hits,
            "at_ms": time.time_ns() // 1_000_000,
        }
        file = os.open(self._settings.run_dir / RECORD_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(file, json.dumps(line).encode() + b"\n")
        os.fsync(file)
        os.close(file)


def _around(function: Callable[..., Any], trap: _Trap, side: str) -> Callable[..., Any]:
    """Spring the trap before or after each call."""

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401  whatever the function takes and gives
        if side == "before":
            trap.hit()
        result = function(*arguments, **named)
        if side == "after":
            trap.hit()
        return result

    return called


class _TrappedProducer:
    """A transactional producer, one call of which has a trap around it."""

    def __init__(self, producer: Any, name: str, call: Callable[..., Any]) -> None:  # noqa: ANN401  a C type
        self._producer = producer
        setattr(self, name, call)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  the producer's
        return getattr(self._producer, name)


def _arm_producer(failpoint: Failpoint, name: str, side: str) -> None:
    traps: list[_Trap] = []

    def wrap(make: Callable[[Settings], Any]) -> Callable[[Settings], Any]:
        def transactional_producer(settings: Settings) -> Any:  # noqa: ANN401  as good as a producer
            producer = make(settings)
            # One for the process: a worker may take a new producer now and then.
            trap = traps[0] if traps else _Trap(failpoint, settings)
            traps[:] = [trap]
            return _TrappedProducer(producer, name, _around(getattr(producer, name), trap, side))

        return transactional_producer

    swap(clients, "transactional_producer", wrap)


def _arm_restore(failpoint: Failpoint, side: str) -> None:
    traps: list[_Trap] = []

    def wrap(restore: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(restore)
        def trapped(self: Restorer, offsets: Any, is_current: Any) -> Any:  # noqa: ANN401  the restorer's own
            if not offsets:
                return restore(self, offsets, is_current)
            trap = traps[0] if traps else _Trap(failpoint, self._settings)
            traps[:] = [trap]
            return _around(restore, trap, side)(self, offsets, is_current)

        return trapped

    swap(Restorer, "restore", wrap)
