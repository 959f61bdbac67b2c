"""`python -m loadtest mutants`: put the proof itself to the test, with products that have something broken in them.

Each mutant goes through the short profile of `python -m loadtest chaos`, with several seeds. It is found out where the
verdict is broken; an invalid verdict finds nothing out. The product as it is goes through the same seeds and must hold.
The exit status is 0 only if both are so, each mutant being found out in 95 of 100 seeds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from loadtest.chaos import kill_table
from loadtest.chaos.kill_table import PRODUCT, Row, Simulated, Trial, rows_of
from loadtest.chaos.kinds import KINDS
from loadtest.chaos.main import interruptible
from loadtest.chaos.mutants import MUTANTS, find
from loadtest.chaos.outcome import commit
from loadtest.chaos.trying import Alone, InSeries, Runs
from loadtest.options import INTERRUPTED, at_least, writable, write_json
from loadtest.showing import console

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from rich.console import Console

SEEDS = 20
TARGETED_FAULTS = 2
"""Of each kind in a targeted run, at least."""
QUIET = "pause"
"""The fault of a targeted run whose mutant the load alone brings out."""
REFUSES = "refuses to start"
"""What a chaos run says that ends because a worker gives up again and again."""
LIVENESS = "I10"
ABOUT = (
    "`found out`: in how many of the seeds an invariant was broken; the product as it is must be found out in none. "
    "`by`: the invariant that broke first, and in how many seeds; I10 also where a worker refuses to start again and "
    "again. `faults` and `seconds`: the median run until then, on two shared cores. `simulator`: by how many schedules "
    "of `python -m tests.simulation.run --mutants` the same change is caught, where the simulator knows it."
)


class _Finding(msgspec.Struct, frozen=True):
    name: str
    verdict: str
    invariant: str = ""


class _Verdicts(msgspec.Struct, frozen=True):
    findings: list[_Finding]


class _Course(msgspec.Struct, frozen=True):
    entries: list[dict[str, object]]
    stopped_early: bool = False


class _Outcome(msgspec.Struct, frozen=True):
    """What is read of a chaos run's outcome."""

    held: bool
    broken: list[str]
    invalid: list[str]
    verdicts: _Verdicts
    course: _Course


def main(arguments: list[str]) -> int:
    """Run all mutants asked for. Gives 0 only if each was found out and the product held."""
    options = _parser().parse_args(arguments)
    at_least(1, seeds=options.seeds, jobs=options.jobs)
    writable(json=options.json, markdown=options.markdown, trials=options.trials)
    out = console()
    names = [PRODUCT] * (not options.without_product) + [find(name).name for name in options.mutant or MUTANTS]
    trials = _read_trials(options.trials)
    status = 0
    try:
        with interruptible():
            for trial in run(out, names, options, {(trial.mutant, trial.seed) for trial in trials}):
                _add_trial(options.trials, trial)
                trials.append(trial)
    except KeyboardInterrupt:
        out.print("interrupted: everything is stopped")
        status = INTERRUPTED
    rows = _tell(out, options, trials)
    return status or (0 if all(map(Row.is_as_wanted, rows)) else 1)


def _tell(out: Console, options: argparse.Namespace, trials: Sequence[Trial]) -> list[Row]:
    """Show the table of all trials that there are, and write it where the options want it."""
    tried = {trial.mutant for trial in trials}
    simulated = {}
    if options.simulated:
        simulated = msgspec.json.decode(options.simulated.read_bytes(), type=dict[str, Simulated])
    rows = rows_of([name for name in (PRODUCT, *MUTANTS) if name in tried], trials, simulated)
    out.print(kill_table.as_table(rows))
    if options.json:
        write_json(options.json, {"rows": rows, "trials": trials})
    if options.markdown:
        date = datetime.now(UTC).isoformat(sep=" ", timespec="minutes")
        kind = "targeted runs (the faults that each mutant names)" if options.targeted else "short chaos runs"
        made = f"{date}, commit {commit()}: {len(trials)} {kind}. {ABOUT}"
        options.markdown.write_text(kill_table.as_markdown(rows, made))
    return rows


def _read_trials(path: Path | None) -> list[Trial]:
    """Read the trials of former calls."""
    lines = path.read_bytes().splitlines() if path and path.exists() else []
    return [msgspec.json.decode(line, type=Trial) for line in lines]


def _add_trial(path: Path | None, trial: Trial) -> None:
    if path:
        with path.open("ab") as file:
            file.write(msgspec.json.encode(trial) + b"\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest mutants", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="runs of each (%(default)s)")
    parser.add_argument("--from-seed", type=int, default=1, help="the first seed (%(default)s)")
    parser.add_argument("--mutant", nargs="+", metavar="NAME", help=f"these alone, of: {', '.join(MUTANTS)}")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once (%(default)s)")
    parser.add_argument("--chaos", default="", metavar="OPTIONS", help="further options of each run")
    parser.add_argument(
        "--targeted", action="store_true", help="only the faults that each names: sooner, and less proof"
    )
    parser.add_argument("--without-product", action="store_true", help="leave the product as it is out")
    parser.add_argument("--logs", type=Path, help="keep what each run says in this folder")
    parser.add_argument(
        "--trials", type=Path, help="add each trial to this file, and make only those that are not in it yet"
    )
    parser.add_argument("--simulated", type=Path, help="what `tests.simulation.run --mutants --json` has written")
    parser.add_argument("--json", type=Path, help="write rows and trials to this file as data")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    return parser


def run(
    out: Console, names: Sequence[str], options: argparse.Namespace, known: Collection[tuple[str, int]] = ()
) -> Iterator[Trial]:
    """Run every name with every seed but those known, and give the trials as they end.

    A run that could not be made is told and not given.
    """
    seeds = range(options.from_seed, options.from_seed + options.seeds)
    # A seed goes through all mutants before the next one does: what was interrupted has judged all of them alike.
    asked = [(name, seed) for seed in seeds for name in names if (name, seed) not in known]
    runs: Runs = InSeries(options.jobs) if options.targeted else Alone()
    with ExitStack() as stack:
        folder = (options.logs or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutants-")))).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        threads = stack.enter_context(ThreadPoolExecutor(options.jobs))
        stack.callback(runs.end)
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        for done in as_completed([threads.submit(_try, runs, options, folder, *one) for one in asked]):
            trial = done.result()
            out.print(kill_table.line(trial), markup=False)
            if trial.made:
                yield trial


def _try(runs: Runs, given: argparse.Namespace, folder: Path, name: str, seed: int) -> Trial:
    """Run one mutant with one seed. What came of it stays in the folder."""
    began = time.monotonic()
    result, log = folder / f"{name}-{seed}.json", folder / f"{name}-{seed}.log"
    mutant = ["--mutant", name] if name != PRODUCT else []
    options = ["--seed", str(seed), *mutant, "--json", str(result), *_given(name, seed, given)]
    for stops in (["--stop-when-broken"], []):
        result.unlink(missing_ok=True)
        runs.make(log, [*options, *stops])
        outcome = result.read_bytes() if result.exists() else b""
        trial = judge(name, seed, outcome, log.read_text(errors="replace"))
        # What was broken when the run was stopped may have been whole a moment later: only the whole run tells.
        if trial.caught or not trial.stopped:
            break
    return trial._replace(seconds=time.monotonic() - began)


def _given(name: str, seed: int, given: argparse.Namespace) -> list[str]:
    """Give the further options of a run: a targeted one has the faults that its mutant names, each a few times.

    The product's targeted runs have those of one mutant after the other.
    """
    more: list[str] = given.chaos.split()
    if not given.targeted:
        return ["--profile", "short", *more]
    names = given.mutant or list(MUTANTS)
    mutant = find(names[seed % len(names)] if name == PRODUCT else name)
    kinds = {kind.name for kind in KINDS for wanted in mutant.faults if kind.name.startswith(wanted)} or {QUIET}
    faults = max(mutant.faults_min, len(kinds) * TARGETED_FAULTS)
    return ["--profile", "targeted", "--only", ",".join(sorted(kinds)), "--faults", str(faults), *more]


def judge(name: str, seed: int, outcome: bytes, log: str) -> Trial:
    """Read what came of a run: `outcome` is its JSON, empty where it ended without; `log` what it said."""
    if not outcome:
        last = next((line for line in reversed(log.splitlines()) if line.strip()), "it said nothing")
        gave_up = next((line for line in log.splitlines() if REFUSES in line), "")
        refused = bool(gave_up)
        return Trial(name, seed, caught=refused, by=(LIVENESS,) * refused, why=gave_up or last, made=refused)
    read = msgspec.json.decode(outcome, type=_Outcome)
    faults = len(read.course.entries)
    found = [finding for finding in read.verdicts.findings if finding.verdict == "broken"]
    by = tuple(dict.fromkeys(finding.invariant or finding.name for finding in found))
    if not by and read.broken:
        by = (LIVENESS,)
    why = read.broken[0] if read.broken else read.invalid[0] if read.invalid else ""
    stopped = read.course.stopped_early
    return Trial(name, seed, caught=bool(by), by=by, why=why, faults=faults, held=read.held, stopped=stopped)
