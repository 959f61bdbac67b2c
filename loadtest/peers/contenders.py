"""Who takes part: how each is started, on what, and what it truly guarantees."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from loadtest.peers.job import COMMIT_SECONDS, PARTITIONS, READS, SESSION_SECONDS, WRITES
from pipeline.errors import SettingsError
from pipeline.services.java import find_java
from pipeline.settings import VARIABLES
from pipeline.topics import ORDER_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

PROGRAMS = "loadtest.peers.programs"
JVM = ("-Xms512m", "-Xmx1g", "-XX:+UseSerialGC")
"""Two cores and a small heap: of the collectors this one takes the least CPU."""
SNAPSHOT_SECONDS = 1.0
"""Bytewax writes a pool's whole state down as often; at the others' 0.1 s it does nothing else."""


class Place(NamedTuple):
    """Where a run takes place: the broker, the application's name, a directory for its state, what was built for it."""

    kafka: str
    app: str
    directory: Path
    tools: Path


class Contender(NamedTuple):
    """One of those compared.

    `command(place)` starts it; `prepare(place)`, if any, gives a command that runs once before; `environ(place)` is
    added to the environment. `needs` is what must be built for it: nothing, `packages` or `java`. Figures begin after
    `warm` answers: an engine that compiles while it runs needs many.
    """

    name: str
    title: str
    guarantee: str
    command: Callable[[Place], Sequence[str]]
    prepare: Callable[[Place], Sequence[str]] | None = None
    environ: Callable[[Place], Mapping[str, str]] = lambda _: {}
    needs: str = ""
    writes: str = WRITES
    warm: int = 5_000


def python(program: str, *further: str) -> Callable[[Place], Sequence[str]]:
    """Start a program in this project's environment."""
    return lambda place: (
        *(sys.executable, "-m", f"{PROGRAMS}.{program}", place.kafka, place.app, str(place.directory)),
        *further,
    )


def module(*arguments: str) -> Callable[[Place], Sequence[str]]:
    """Start a module of this project, which reads its settings from the environment."""
    return lambda _: (sys.executable, "-m", *arguments)


def own_settings(place: Place) -> Mapping[str, str]:
    """Give the environment of a worker of this engine."""
    return {
        VARIABLES["kafka"]: place.kafka,
        VARIABLES["run_dir"]: str(place.directory),
        VARIABLES["deployment"]: place.app,
        VARIABLES["slot"]: "0",
        VARIABLES["partitions"]: str(PARTITIONS),
        VARIABLES["commit_interval_seconds"]: str(COMMIT_SECONDS),
        VARIABLES["session_timeout_seconds"]: str(SESSION_SECONDS),
        VARIABLES["log_level"]: "WARNING",
    }


def _streams(threads: int, *, cached: bool) -> Callable[[Place], Sequence[str]]:
    return lambda place: (
        *(str(find_java()), *JVM, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"),
        *("-cp", str(place.tools / "streams" / "lib" / "*"), "peers.Reserve"),
        *(place.kafka, place.app, str(place.directory), READS, WRITES),
        *(str(int(COMMIT_SECONDS * 1000)), str(threads), str(cached).lower()),
    )


def _packaged(*arguments: str) -> Callable[[Place], Sequence[str]]:
    """Run a module in the peers' own environment; `{app}` and so on are filled in."""
    return lambda place: (
        str(place.tools / "venv" / "bin" / "python"),
        "-m",
        *(text.format(kafka=place.kafka, app=place.app, directory=place.directory) for text in arguments),
    )


CONTENDERS = (
    Contender(
        name="holdfast",
        title="Holdfast, the job alone",
        guarantee="exactly once",
        command=module(f"{PROGRAMS}.alone", "worker"),
        prepare=module(f"{PROGRAMS}.alone", "provision"),
        environ=own_settings,
        writes=ORDER_EVENTS.name,
    ),
    Contender(
        name="holdfast-stage",
        title="Holdfast, its whole reservation stage",
        guarantee="exactly once",
        command=module("pipeline", "worker", "--stages", "reservation"),
        prepare=module("pipeline", "topics"),
        environ=own_settings,
        writes=ORDER_EVENTS.name,
    ),
    Contender(
        name="streams",
        title="Kafka Streams 4.3.1",
        guarantee="exactly once (exactly_once_v2)",
        command=_streams(1, cached=True),
        needs="java",
        warm=50_000,
    ),
    Contender(
        name="faust",
        title="Faust 0.15.3",
        guarantee="at least once",
        command=python("faust_app", "at_least_once"),
    ),
    Contender(
        name="faust-eos",
        title="Faust 0.15.3, exactly_once",
        guarantee="says exactly once; see the kills",
        command=python("faust_app", "exactly_once"),
    ),
    Contender(
        name="quix",
        title="Quix Streams 3.28.1, exactly-once",
        guarantee="exactly once",
        command=_packaged(f"{PROGRAMS}.quix", "{kafka}", "{app}", "{directory}"),
        needs="packages",
    ),
    Contender(
        name="bytewax",
        title="Bytewax 0.21.1",
        guarantee="at least once; state in SQLite, no changelog",
        command=_packaged(
            *("bytewax.run", f"{PROGRAMS}.bytewax_flow:make_flow('{{kafka}}')"),
            *("-r", "{directory}", "-s", f"{SNAPSHOT_SECONDS:g}", "-b", "0"),
        ),
        prepare=_packaged("bytewax.recovery", "{directory}", "1"),
        needs="packages",
    ),
    Contender(
        name="confluent",
        title="plain confluent-kafka loop",
        guarantee="exactly once",
        command=python("confluent_loop"),
    ),
    Contender(
        name="aiokafka",
        title="plain aiokafka loop",
        guarantee="exactly once",
        command=python("aiokafka_loop"),
    ),
)


def chosen(names: str, contenders: Sequence[Contender]) -> tuple[Contender, ...]:
    """Give those that are named, separated by commas; all where none is. Raises SettingsError."""
    known = {contender.name: contender for contender in contenders}
    wanted = [name.strip() for name in names.split(",") if name.strip()] or list(known)
    for name in wanted:
        if name not in known:
            message = f"--only: no peer is called {name!r}; there are {', '.join(known)}"
            raise SettingsError(message)
    return tuple(contender for name, contender in known.items() if name in wanted)


def environment(contender: Contender, place: Place) -> dict[str, str]:
    """Give the environment of a contender's processes."""
    return {**os.environ, **contender.environ(place)}
