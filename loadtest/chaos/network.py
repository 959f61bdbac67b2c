"""Faults of the network between workers and broker, done by the proxy, which counts what they met."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from loadtest.chaos.fault import HOLD, Kind, Proof
from loadtest.chaos.proxy_frames import ADD_OFFSETS_TO_TXN, END_TXN, PRODUCE, TXN_OFFSET_COMMIT
from loadtest.chaos.proxy_rules import Counts, Filter, Rules
from pipeline.errors import SetupError
from pipeline.services.process import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from loadtest.chaos.fault import Params
    from loadtest.chaos.proxy_rules import ProxyControl
    from loadtest.chaos.rig import Rig

MakeRules: TypeAlias = "Callable[[Params, tuple[int, ...]], Rules]"
"""Makes rules for the processes with these ids, from the parameters of a fault."""
RESOURCE = "network"
WORKER = "worker"
ALL_WORKERS = -1
WORKERS = 3
MEETING_SECONDS = 6.0
"""How long rules wait for what they are meant for; workers under load commit several times a second."""
REQUESTS = {
    "EndTxn": END_TXN,
    "TxnOffsetCommit": TXN_OFFSET_COMMIT,
    "AddOffsetsToTxn": ADD_OFFSETS_TO_TXN,
    "Produce": PRODUCE,
}


class NetworkFault:
    """Rules in force at the proxy from `inject` to `heal`."""

    def __init__(self, rig: Rig, params: Params, rules: MakeRules) -> None:
        self._rig = rig
        self._params = params
        self._rules = rules
        self._counts = Counts()
        self.target = "the workers"

    @property
    def _control(self) -> ProxyControl:
        ground = self._rig.ground
        if ground is None or ground.proxy is None:
            message = "no proxy stands before the broker"
            raise SetupError(message)
        return ground.proxy.control

    def inject(self) -> None:
        """Wait until those meant send requests, put the rules in force, and wait until they have met something."""
        pids = self._pids()
        self._control.give(Rules(pids=pids, watched=True))
        wait_until(lambda: self._control.ask().counts.requests > 0, MEETING_SECONDS)
        self._control.give(self._rules(self._params, pids))
        wait_until(lambda: self._control.ask().counts.is_effect, MEETING_SECONDS)

    def _pids(self) -> tuple[int, ...]:
        """Give the worker that is meant, or another one that is at work where it is not; none: all of them."""
        wanted = int(self._params[WORKER])
        working = [child for child in self._rig.workers if self._rig.works(child)]
        if wanted == ALL_WORKERS or not working:
            return ()
        chosen = working[wanted % len(working)]
        self.target = chosen.name
        return (chosen.pid,)

    def heal(self) -> None:
        """Let everything pass again, and take what the proxy counted."""
        self._counts = self._control.give(Rules()).counts

    def proof(self) -> Proof:
        """Say what the rules met."""
        counts = self._counts
        numbers: dict[str, int | float] = {
            "accepted": counts.accepted,
            "resets": counts.resets,
            "bytes_delayed": counts.bytes_delayed,
            "bytes_held": counts.bytes_held,
            "bytes_throttled": counts.bytes_throttled,
            **counts.frames,
        }
        met = {name: number for name, number in numbers.items() if number and name != "accepted"}
        told = ", ".join(f"{name} {number}" for name, number in met.items())
        return Proof(bool(met), f"the proxy counted for {self.target}: {told or 'nothing'}", numbers)


def _cut(_: Params, pids: tuple[int, ...]) -> Rules:
    return Rules(pids=pids, cut=True)


def _slow(params: Params, pids: tuple[int, ...]) -> Rules:
    return Rules(
        pids=pids,
        delay_up_ms=float(params["up_ms"]),
        delay_down_ms=float(params["down_ms"]),
        bytes_per_second=int(params["bytes_per_second"]),
    )


def _hole(params: Params, pids: tuple[int, ...]) -> Rules:
    return Rules(pids=pids, hold_up=params["way"] != "down", hold_down=params["way"] != "up")


def _requests(params: Params, pids: tuple[int, ...]) -> Rules:
    side, _, deed = str(params["deed"]).partition(" ")
    one = Filter(
        api_keys=(REQUESTS[str(params["request"])],),
        side="request" if side == "request" else "answer",
        deed=next(known for known in ("drop", "delay", "reset", "late") if known == deed),
        delay_ms=float(params["delay_ms"]),
        hits_max=int(params["hits"]),
    )
    return Rules(pids=pids, filters=(one,))


def _whom(chance: Random, one_share: float) -> Params:
    return {WORKER: chance.randrange(WORKERS) if chance.random() < one_share else ALL_WORKERS}


def _draw_cut(chance: Random) -> Params:
    return _whom(chance, 0.5) | {HOLD: round(chance.choice((0.0, 0.5, 5.0)) * chance.random(), 2)}


def _draw_delay(chance: Random) -> Params:
    """Draw a slow network; one in four is narrow instead of slow."""
    held = _whom(chance, 0.3) | {HOLD: round(chance.uniform(1.0, 5.0), 2)}
    if chance.random() < 1 / 4:
        return held | {"up_ms": 0, "down_ms": 0, "bytes_per_second": chance.choice((20_000, 100_000))}
    up, down = (round(chance.choice((0, 20, 100, 500)) * chance.uniform(0.5, 1.5)) for _ in range(2))
    return held | {"up_ms": max(up, 10), "down_ms": down, "bytes_per_second": 0}


def _draw_hole(chance: Random) -> Params:
    """Draw a black hole: within the session of the group, or past it, when the workers are expelled meanwhile."""
    hold = chance.uniform(0.3, 2.0) if chance.random() < 1 / 2 else chance.uniform(4.0, 8.0)
    return _whom(chance, 0.7) | {"way": chance.choice(("up", "down", "both")), HOLD: round(hold, 2)}


def _draw_requests(chance: Random) -> Params:
    """Draw what becomes of a commit. An answer that is dropped without a reset costs a worker its commit timeout."""
    deeds = ("answer reset", "answer reset", "answer delay", "request late", "request late", "request reset")
    return _whom(chance, 0.5) | {
        "request": chance.choice((*(("EndTxn",) * 4), *(("TxnOffsetCommit",) * 2), "AddOffsetsToTxn", "Produce")),
        "deed": "answer drop" if chance.random() < 1 / 20 else chance.choice(deeds),
        "delay_ms": chance.choice((100, 400, 1500)),
        "hits": chance.choice((1, 1, 3)),
        HOLD: round(chance.random(), 2),
    }


def _kind(name: str, rules: MakeRules, draw: Callable[[Random], Params], weight: float) -> Kind:
    # What the proxy counted is known when the rules are taken back: there is nothing more to wait for.
    return Kind(name, lambda rig, params: NetworkFault(rig, params, rules), draw, RESOURCE, weight, proof_seconds=0.0)


KINDS = (
    _kind("net-cut", _cut, _draw_cut, 10),
    _kind("net-delay", _slow, _draw_delay, 7),
    _kind("net-blackhole", _hole, _draw_hole, 5),
    _kind("net-endtxn", _requests, _draw_requests, 10),
)
