"""What a run of a profile came to, as data: the answers, and what happened over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from loadtest.killing import Kill
from loadtest.lateness import SendReport
from loadtest.options import write_json
from loadtest.oracle.checks import Finding
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
"""Of the file; one of another format is not compared."""


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What was run, and on what. `replay`: the recording that was sent instead of the profile's own orders."""

    profile: str
    says: str
    date: str
    seed: int
    scale: float
    seconds: float
    workers: int
    replay: str
    whole: bool
    """Whether it is the profile as its file has it: targets are judged of no other run."""
    judged: bool
    """Whether the independent check was asked."""
    machine: str


class Spell(msgspec.Struct, frozen=True, kw_only=True):
    """The latency of the orders of a part of the time, from the intended send to the last stage, in seconds."""

    name: str
    begin_seconds: float
    orders: int
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    max_seconds: float


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that were to be sent and were not decided yet, at the end of a part of the time.

    `gone_seconds`: until the last of them was decided; null: never.
    """

    after: str
    orders: int
    gone_seconds: float | None


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What a process took, from the first order to rest. Growth: of its memory, over the load's second half."""

    process: str
    cpu_seconds: float
    cpu_microseconds_per_order: float
    rss_bytes_begin: int
    rss_bytes_max: int
    growth_bytes_per_order: float


class Struck(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that was carried out: when it began, and what came of it."""

    kind: str
    at_seconds: float
    told: str
    kill: Kill | None = None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that the profile sets a limit to. `met` is null where the run is not the whole profile."""

    name: str
    limit: float
    measured: float | None
    met: bool | None


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """Something over time: a value, or none, at each of the times of its chart."""

    name: str
    values: list[float | None]


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Courses over the same times (seconds from the first intended send), in one unit."""

    title: str
    unit: str
    logarithmic: bool = False
    at_seconds: list[float]
    courses: list[Course]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `void` says why nothing can be concluded from the run; empty: it is valid."""

    format: int = FORMAT
    setup: Setup
    void: str
    orders: int
    undecided: int
    """Of the orders that were sent once, how many no stage has decided in the end."""
    sent: SendReport
    accepted_records: int
    settled: bool
    drained: bool
    held: Spell
    """From the intended send to the hold."""
    last: Spell
    """From the intended send to the last stage."""
    phases: list[Spell]
    minutes: list[Spell]
    backlogs: list[Backlog]
    processes: list[Use]
    outcomes: dict[str, int]
    faults: list[Struck]
    targets: list[Target]
    findings: list[Finding]
    charts: list[Chart]

    @property
    def wrong(self) -> list[str]:
        """Say what is not as it must be, whatever the machine: empty if all is well."""
        verdicts = [
            f"check {finding.name}: {finding.verdict}" for finding in self.findings if finding.verdict != "held"
        ]
        missed = [target for target in self.targets if target.met is False]
        lost = self.sent.records - self.accepted_records
        said = {
            f"{self.sent.failed} records were not acknowledged": self.sent.failed,
            f"{lost} records were sent and are not in the log": lost,
            "the run did not come to rest": not self.settled,
            "not all processes drained": not self.drained,
        }
        targets = [f"{target.name}: {_shown(target.measured)}, the target is {target.limit:g}" for target in missed]
        return [text for text, is_wrong in said.items() if is_wrong] + verdicts + targets


def _shown(value: float | None) -> str:
    return "never" if value is None else f"{value:.4g}"


def write_result(result: Result, path: Path) -> None:
    """Write it as JSON."""
    write_json(path, result)


def read_result(path: Path) -> Result:
    """Read one that was written. Raises SettingsError, which names the file and the field."""
    try:
        result = msgspec.json.decode(path.read_bytes(), type=Result)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise SettingsError(message) from error
    except msgspec.DecodeError as error:
        text, _, field = str(error).partition(" - at `$.")
        message = f"{path}: {field.rstrip('`')}: {text}" if field else f"{path}: {text}"
        raise SettingsError(message) from error
    if result.format != FORMAT:
        message = f"{path}: format: {result.format}; this version reads {FORMAT}"
        raise SettingsError(message)
    return result
