"""Runs of the simulator: `python -m tests.simulation.run --seeds 100000 --from 0`.

The first schedule that fails is shrunk and printed with what happened, and written to a file that `--replay` takes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import msgspec

from loadtest.options import at_least, writable
from pipeline.errors import SettingsError
from tests.simulation.mutants import MADE_UP_FOR, MUTANTS
from tests.simulation.running import Found, report, run_pairs, run_seeds, shrunk
from tests.simulation.schedule import Schedule

MUTANT_SEEDS = 200


def main() -> int:
    """Run. Gives 1 when a run failed."""
    options = _options()
    if options.replay:
        print(report(_read(options.replay), options.mutant))
        return 0
    if options.mutants:
        _try_mutants(options)
        return 0
    started = time.monotonic()
    if options.pairs is None:
        found = run_seeds(options.first, options.seeds, options.processes, options.mutant)
    else:
        found = run_pairs(options.pairs, options.processes)
    print(f"{found.runs} runs in {time.monotonic() - started:.0f} s: {found.steps} steps, {found.hits.total()} faults")
    print(", ".join(f"{name} {count}" for name, count in found.hits.most_common()))
    _tell(found, options)
    return 1 if found.failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.run", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many (%(default)s)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed (%(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="at once (%(default)s)")
    parser.add_argument(
        "--pairs", type=int, metavar="VARIANT", help="every pair of faults in a small deployment, instead"
    )
    parser.add_argument("--mutant", default="", choices=["", *MUTANTS], help="break the engine in one place")
    parser.add_argument("--mutants", action="store_true", help="say how many seeds catch each mutant")
    parser.add_argument("--json", type=Path, help="write what is said of the mutants to this file, too")
    parser.add_argument("--replay", type=Path, help="run the schedule of a file")
    parser.add_argument("--write", type=Path, default=Path(), help="where a schedule that fails goes (%(default)s)")
    options = parser.parse_args()
    try:
        at_least(1, seeds=options.seeds, processes=options.processes)
        at_least(0, **{"from": options.first})
        writable(json=options.json)
        if options.replay:
            _read(options.replay)
    except SettingsError as error:
        parser.exit(2, f"{error}\n")
    return options


def _read(path: Path) -> Schedule:
    """Read a schedule. Raises SettingsError, which names the file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Schedule)
    except (OSError, msgspec.DecodeError) as error:
        message = f"--replay: {path}: {error}"
        raise SettingsError(message) from error


def _try_mutants(options: argparse.Namespace) -> None:
    """Say by how many schedules each mutant is caught, and by which one first (from 1; 0: by none)."""
    told: dict[str, dict[str, int]] = {}
    for name in MUTANTS:
        failed = run_seeds(options.first, MUTANT_SEEDS, options.processes, name).failed
        first = min((schedule.seed - options.first + 1 for schedule in failed), default=0)
        told[name] = {"schedules": MUTANT_SEEDS, "caught": len(failed), "first": first}
        print(f"{name:40} caught by {len(failed):3} of {MUTANT_SEEDS} seeds  {MADE_UP_FOR.get(name, '')}")
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(told)))


def _tell(found: Found, options: argparse.Namespace) -> None:
    """Say which runs failed, and why the first of them did."""
    print(f"{len(found.failed)} failed: seeds {[schedule.seed for schedule in found.failed[:20]]}")
    for schedule in found.failed[:1]:
        small = shrunk(schedule, options.mutant)
        path = options.write / f"simulation-{schedule.seed}.json"
        path.write_bytes(msgspec.json.encode(small))
        print(f"{report(small, options.mutant)}\nwritten to {path}")


if __name__ == "__main__":
    sys.exit(main())
