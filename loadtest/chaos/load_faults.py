"""Faults of the input: hostile records, bursts, records that come again, records that come in another order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.chaos.fault import Kind, Proof, no_params
from loadtest.chaos.load_plan import BURST_PER_SECOND
from loadtest.chaos.load_words import Burst, Done, Flood, Numbered, Repeat, Shuffle
from pipeline.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from loadtest.chaos.fault import Params
    from loadtest.chaos.loading import Loader
    from loadtest.chaos.rig import Rig

LOAD = "load"
BURST_RATE_MIN = BURST_PER_SECOND / 2
"""A burst that left more slowly was none."""
ACKNOWLEDGED_SECONDS = 60.0
SEEDS = 1 << 30


class LoadFault:
    """The generator is given a command, and carries it out."""

    target = LOAD

    def __init__(self, rig: Rig, params: Params, command: Callable[[Loader, Params], Numbered]) -> None:
        if rig.loader is None:
            message = "there is no load generator"
            raise SetupError(message)
        self._loader = rig.loader
        self._params = params
        self._command = command
        self._done: Done | None = None
        self._sent = 0

    def inject(self) -> None:
        """Tell the generator, and wait until it has sent all of it."""
        command = self._command(self._loader, self._params)
        self._loader.tell(command)
        self._done = self._loader.answer(command.number)
        self._sent = self._loader.last.sent

    def heal(self) -> None:
        """Do nothing: it is over."""

    def proof(self) -> Proof:
        """Say whether it was sent as it was meant, and acknowledged."""
        done = self._done
        if done is None:
            return Proof(hit=False, evidence="the generator did not answer")
        rate = done.records / max(done.seconds, 1e-3)
        acknowledged = self._loader.last.acknowledged >= self._sent
        evidence = (
            f"{done.records} records in {done.seconds:.2f} s, {done.moved} of them in another place; acknowledged: "
            f"{acknowledged}"
        )
        hit = done.records > 0 and acknowledged and self._was_meant(done, rate)
        return Proof(hit, evidence, {"records": done.records})

    def _was_meant(self, done: Done, rate: float) -> bool:
        """Say whether a burst was fast, and a shuffle one."""
        return rate >= BURST_RATE_MIN if self._command is _burst else self._command is not _shuffle or done.moved > 0


def _burst(loader: Loader, _: Params) -> Numbered:
    return Burst(number=loader.number(), which=loader.next("burst"))


def _flood(loader: Loader, _: Params) -> Numbered:
    return Flood(number=loader.number(), which=loader.next("flood"))


def _repeat(loader: Loader, params: Params) -> Numbered:
    return Repeat(
        number=loader.number(),
        records=int(params["records"]),
        copies=int(params["copies"]),
        seed=int(params["seed"]),
    )


def _shuffle(loader: Loader, params: Params) -> Numbered:
    return Shuffle(number=loader.number(), records=int(params["records"]), seed=int(params["seed"]))


def _draw_repeat(chance: Random) -> Params:
    return {"records": chance.randint(50, 200), "copies": chance.randint(1, 4), "seed": chance.randrange(SEEDS)}


def _draw_shuffle(chance: Random) -> Params:
    return {"records": chance.randint(50, 200), "seed": chance.randrange(SEEDS)}


def _kind(name: str, command: Callable[[Loader, Params], Numbered], draw: Callable[[Random], Params]) -> Kind:
    return Kind(
        name,
        lambda rig, params: LoadFault(rig, params, command),
        draw,
        LOAD,
        6,
        proof_seconds=ACKNOWLEDGED_SECONDS,
    )


KINDS = (
    _kind("hostile", _flood, no_params),
    _kind("burst", _burst, no_params),
    _kind("duplicates", _repeat, _draw_repeat),
    _kind("reorder", _shuffle, _draw_shuffle),
)
