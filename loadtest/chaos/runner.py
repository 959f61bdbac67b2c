"""Runs a schedule against a rig: each fault on a thread of its own, as its resource and the rig allow."""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, NamedTuple

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

WORLD = (HoldfastError, OSError, HTTPException, KafkaException, RedisError, subprocess.SubprocessError)
"""What may fail while a world is being broken on purpose."""
WORKER = "worker"
WORKERS_AT_ONCE = 2
OUTAGES = frozenset({"kafka", "network", "disk"})
"""The resources without which the group cannot work."""
PROOF_PAUSE_SECONDS = 0.1
TURN_SECONDS = 240.0
"""How long a fault waits for its turn."""
ATTEMPTS_MAX = 3
"""How often a fault is tried that does not hit: what it is done to may be gone for another fault's sake."""
FAULTS_AT_ONCE_MAX = 12
"""So many are on or wait for their turn; the next ones then come later than planned, as on a slow machine."""
POLL_SECONDS = 0.05
JOIN_SECONDS = 420.0
END_SECONDS = 90.0
"""How long the faults that are on may take to end in a run that is given up."""
EVIDENCE_CHARACTERS_MAX = 2000


class _Attempt(NamedTuple):
    """A fault done once."""

    target: str
    at_ms: int
    healed_ms: int
    proof: Proof


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
            while not self.stopping.is_set() and (time.monotonic() < began + fault.at_seconds or self._is_full()):
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

    def end(self) -> None:
        """End what is still on. Afterwards no fault starts a server or a process again."""
        self.stopping.set()
        if any(thread.is_alive() for thread in self._threads):
            self.rig.kill_all()  # what they wait for does not come any more
        deadline = time.monotonic() + END_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _is_full(self) -> bool:
        return sum(thread.is_alive() for thread in self._threads) >= FAULTS_AT_ONCE_MAX

    def _do(self, planned: Planned) -> None:
        """Try a fault until it hits, a few times, and write down what came of it."""
        missed: list[str] = []
        while True:
            attempt = self._attempt(planned)
            if attempt.proof.hit or len(missed) + 1 >= ATTEMPTS_MAX or self.stopping.is_set():
                break
            missed.append(attempt.proof.evidence[:EVIDENCE_CHARACTERS_MAX])
        proof = attempt.proof
        entry = Entry(
            number=planned.number,
            kind=planned.kind,
            target=attempt.target,
            at_ms=attempt.at_ms,
            healed_ms=attempt.healed_ms,
            hit=proof.hit,
            evidence=proof.evidence[:EVIDENCE_CHARACTERS_MAX],
            counts=proof.counts,
            params=planned.params,
            attempts=len(missed) + 1,
            missed=missed,
        )
        self._ledger.add(entry)
        verdict = f"{'hit' if proof.hit else 'NO HIT'}{f' at attempt {entry.attempts}' * bool(missed)}"
        self._say(f"{planned.number:4} {planned.kind:26} {attempt.target:10} {verdict}: {_short(proof)}")

    def _attempt(self, planned: Planned) -> _Attempt:
        """Do a fault once, in its turn."""
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
            return _Attempt(target, at_ms or _now_ms(), _now_ms(), proof)

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
