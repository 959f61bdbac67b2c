"""Faults of clock and CPU, on processes of their own; what the schedule draws for all of them is well formed."""

from __future__ import annotations

import subprocess
import sys
from random import Random
from typing import TYPE_CHECKING

import psutil
import pytest

from loadtest.chaos import clock, cpu, disk, network
from loadtest.chaos.fault import HOLD
from loadtest.chaos.wall_clock import WallClock
from pipeline.services.process import wait_until
from pipeline.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from loadtest.chaos.fault import Kind

SPIN = [sys.executable, "-c", "while True: pass"]
CLOCK_PROGRAM = """
import os, sys
from loadtest.chaos.wall_clock import arm
arm(os.environ)
from time import monotonic, time, time_ns
for _ in sys.stdin:
    print(time(), time_ns() / 1e9, monotonic(), flush=True)
"""
KINDS = (*network.KINDS, *disk.KINDS, *clock.KINDS, *cpu.KINDS)


@pytest.fixture
def spinning() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SPIN) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_seed_draws_the_same_fault_again_and_holds_are_bounded(kind: Kind) -> None:
    drawn = [kind.draw(Random(seed)) for seed in range(200)]  # noqa: S311 - a fixed choice
    assert drawn == [kind.draw(Random(seed)) for seed in range(200)]  # noqa: S311
    assert all(0 <= float(params.get(HOLD, 0)) <= 10 for params in drawn)


@pytest.mark.parametrize("make", [cpu.brake, cpu.Turns], ids=["the best there is", "stops"])
def test_a_starved_process_runs_less_and_then_freely(
    make: Callable[[int, float], cpu.Brake], spinning: subprocess.Popen[bytes]
) -> None:
    brake = make(spinning.pid, 0.1)
    held = wait_until(lambda: used_seconds(spinning.pid) > 0.2, 1.0)
    proof = brake.release()
    assert proof.hit, proof
    assert not held
    before = used_seconds(spinning.pid)
    assert wait_until(lambda: used_seconds(spinning.pid) > before + 0.2, 10.0)


def used_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def test_a_wall_clock_jumps_and_the_monotonic_one_does_not(tmp_path: Path) -> None:
    wall_clock = WallClock(tmp_path / "clock")
    environ = {**wall_clock.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CLOCK_PROGRAM]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def read() -> list[float]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("?\n")
            process.stdin.flush()
            return [float(word) for word in process.stdout.readline().split()]

        right = read()
        wall_clock.set(-86_400)
        wrong = read()
        process.stdin.close()
    changes = [late - early for early, late in zip(right, wrong, strict=True)]
    assert changes[:2] == [pytest.approx(-86_400, abs=30)] * 2
    assert 0 <= changes[2] < 30
