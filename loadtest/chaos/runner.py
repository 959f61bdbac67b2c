"""Runs a schedule against a rig: each fault on a thread of its own, as its resource and the rig allow."""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException
from redis.exceptions import RedisError

from loadtest.chaos.fault import HOLD, Planned, Proof
from loadtest.chaos.ledger import Entry
from pipeline.errors import HoldfastError, SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from loadtest.chaos.fault import Fault, Kind
    from loadtest.chaos.ledger import Ledger
    from loadtest.chaos.rig import Rig

WORLD = (HoldfastError, OSError, KafkaException, RedisError, subprocess.SubprocessError)
"""What may fail while a world is being broken on purpose."""
WORKER = "worker"
WORKERS_AT_ONCE = 2
OUTAGES = frozenset({"kafka", "network", "disk"})
"""The resources without which the group cannot work."""
PROOF_PAUSE_SECONDS = 0.1
TURN_SECONDS = 240.0
"""How long a fault waits for its turn."""
POLL_SECONDS = 0.05
JOIN_SECONDS = 180.0


class Runner:
    """Runs faults. `say` is given a line for each that is over."""

    def __init__(self, rig: Rig, kinds: Mapping[str, Kind], ledger: Ledger, say: Callable[[str], None]) -> None:
        self.stopping = threading.Event()
        self.rig = rig
        self._kinds = kinds
        self._ledger = ledger
        self._say = say
        self._threads: list[threading.Thread] = []
        self._turns = {
            kind.resource: threading.BoundedSemaphore(WORKERS_AT_ONCE if kind.resource == WORKER else 1)
            for kind in kinds.values()
        }

    def run(self, planned: Sequence[Planned], meanwhile: Callable[[], None]) -> None:
        """Begin each fault at its time, and wait until all are over; `meanwhile` is called again and again."""
        began = time.monotonic()
        for fault in planned:
            while time.monotonic() < began + fault.at_seconds and not self.stopping.is_set():
                meanwhile()
                time.sleep(POLL_SECONDS)
            if self.stopping.is_set():
                break
            thread = threading.Thread(target=self._do, args=(fault,), name=f"fault-{fault.number}", daemon=True)
            self._threads.append(thread)
            thread.start()
        deadline = time.monotonic() + JOIN_SECONDS
        while any(thread.is_alive() for thread in self._threads) and time.monotonic() < deadline:
            meanwhile()
            time.sleep(POLL_SECONDS)
        if any(thread.is_alive() for thread in self._threads):
            names = ", ".join(thread.name for thread in self._threads if thread.is_alive())
            message = f"these faults did not end within {JOIN_SECONDS:g} s after the last one began: {names}"
            raise SetupError(message)

    def _do(self, planned: Planned) -> None:
        kind = self._kinds[planned.kind]
        with ExitStack() as stack:
            target, at_ms = kind.resource, 0
            try:
                stack.enter_context(self._turn(kind))
                params = dict(planned.params)
                if kind.resource == WORKER:
                    params[WORKER] = stack.enter_context(self.rig.taken(int(params[WORKER]))).name
                fault = kind.make(self.rig, params)
                at_ms = _now_ms()
                proof = self._carry_out(kind, fault, params)
                target = fault.target
            except WORLD as error:
                proof = Proof(hit=False, evidence=f"{type(error).__name__}: {error}")
            entry = Entry(
                number=planned.number,
                kind=planned.kind,
                target=target,
                at_ms=at_ms or _now_ms(),
                healed_ms=_now_ms(),
                hit=proof.hit,
                evidence=proof.evidence[:2000],
                counts=proof.counts,
                params=planned.params,
            )
        self._ledger.add(entry)
        self._say(
            f"{planned.number:4} {planned.kind:26} {target:10} {'hit' if proof.hit else 'NO HIT'}: {_short(proof)}"
        )

    def _carry_out(self, kind: Kind, fault: Fault, params: Mapping[str, int | float | str]) -> Proof:
        with ExitStack() as stack:
            if kind.resource in OUTAGES:
                stack.enter_context(self.rig.outage.during())
            try:
                fault.inject()
                self.stopping.wait(float(params.get(HOLD, 0)))
            finally:
                fault.heal()
        deadline = time.monotonic() + kind.proof_seconds
        while True:
            proof = fault.proof()
            if proof.hit or time.monotonic() > deadline or self.stopping.is_set():
                return proof
            time.sleep(PROOF_PAUSE_SECONDS)

    @contextmanager
    def _turn(self, kind: Kind) -> Iterator[None]:
        """Wait for the resource, and for a broker where the kind needs one. Raises SetupError."""
        deadline = time.monotonic() + TURN_SECONDS
        if not self._turns[kind.resource].acquire(timeout=TURN_SECONDS):
            message = f"{kind.resource} was not free within {TURN_SECONDS:g} s"
            raise SetupError(message)
        try:
            while kind.needs_broker and self.rig.outage.within(0.0):
                if time.monotonic() > deadline or self.stopping.is_set():
                    message = f"no broker within {TURN_SECONDS:g} s"
                    raise SetupError(message)
                time.sleep(POLL_SECONDS)
            yield
        finally:
            self._turns[kind.resource].release()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _short(proof: Proof) -> str:
    return proof.evidence.splitlines()[0][:140] if proof.evidence else ""
