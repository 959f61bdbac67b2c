"""Faults are tried again until they hit, a few times, and the ledger says so; a run that is given up ends them."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from loadtest.chaos.fault import Kind, Planned, Proof, no_params
from loadtest.chaos.ledger import Ledger
from loadtest.chaos.outage import Outage
from loadtest.chaos.runner import ATTEMPTS_MAX, FAULTS_AT_ONCE_MAX, Runner
from pipeline.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path

    from loadtest.chaos.fault import Params
    from loadtest.chaos.rig import Rig

LONG_SECONDS = 60.0


class Attempts:
    """Makes faults that hit at their attempt number `hits_at`, and counts what was done to them."""

    def __init__(self, hits_at: int) -> None:
        self.hits_at = hits_at
        self.made = self.healed = 0

    def make(self, _rig: Rig, _params: Params) -> One:
        self.made += 1
        return One(self, self.made)


class One:
    """One attempt. The first ends in an error of the world."""

    target = "kafka"

    def __init__(self, attempts: Attempts, number: int) -> None:
        self.attempts = attempts
        self.number = number

    def inject(self) -> None:
        if self.number == 1 < self.attempts.hits_at:
            message = "nobody there"
            raise SetupError(message)

    def heal(self) -> None:
        self.attempts.healed += 1

    def proof(self) -> Proof:
        return Proof(self.number >= self.attempts.hits_at, f"attempt {self.number}")


def run(tmp_path: Path, attempts: Attempts) -> Ledger:
    kind = Kind("one", attempts.make, no_params, "one", 1, proof_seconds=0.0)
    rig = cast("Rig", SimpleNamespace(outage=Outage()))
    ledger = Ledger(tmp_path)
    runner = Runner(rig, {"one": kind}, ledger, lambda _: None)
    runner.run([Planned(number=1, kind="one", at_seconds=0.0, params={})], lambda: None)
    ledger.close()
    return ledger


def test_a_fault_that_hits_is_done_once(tmp_path: Path) -> None:
    (entry,) = run(tmp_path, attempts := Attempts(1)).entries
    assert (entry.hit, entry.attempts, entry.missed, attempts.made) == (True, 1, [], 1)


def test_a_fault_that_misses_is_tried_again_and_says_what_was_missed(tmp_path: Path) -> None:
    (entry,) = run(tmp_path, attempts := Attempts(3)).entries
    assert (entry.hit, entry.attempts) == (True, 3)
    assert entry.missed == ["SetupError: nobody there", "attempt 2"]
    assert entry.evidence == "attempt 3"
    assert attempts.healed == 3


def test_a_fault_that_never_hits_does_not_count_as_hit(tmp_path: Path) -> None:
    (entry,) = run(tmp_path, attempts := Attempts(ATTEMPTS_MAX + 1)).entries
    assert not entry.hit
    assert attempts.made == entry.attempts == ATTEMPTS_MAX


class Held:
    """A fault that stays until it is let go."""

    target = "held"

    def __init__(self, free: threading.Event) -> None:
        self.free = free

    def inject(self) -> None:
        self.free.wait(LONG_SECONDS)

    def heal(self) -> None:
        """Nothing is broken."""

    def proof(self) -> Proof:
        return Proof(hit=True, evidence="held")


def test_a_run_that_is_given_up_ends_its_faults_and_begins_no_more(tmp_path: Path) -> None:
    free = threading.Event()
    kind = Kind("held", lambda *_: Held(free), no_params, "held", 1, proof_seconds=0.0)
    # Their ends are what the faults wait for: it comes when the rig is killed.
    rig = cast("Rig", SimpleNamespace(outage=Outage(), kill_all=free.set))
    ledger = Ledger(tmp_path)
    runner = Runner(rig, {"held": kind}, ledger, lambda _: None)
    planned = [Planned(number=number, kind="held", at_seconds=0.0, params={}) for number in range(100)]
    begun = 0

    def give_up() -> None:
        nonlocal begun
        begun = sum(thread.name.startswith("fault-") for thread in threading.enumerate())
        if begun >= FAULTS_AT_ONCE_MAX:
            raise KeyboardInterrupt

    try:
        runner.run(planned, give_up)
    except KeyboardInterrupt:
        runner.end()
    ledger.close()
    assert begun == FAULTS_AT_ONCE_MAX
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fault-")]
    assert len(ledger.entries) == FAULTS_AT_ONCE_MAX
