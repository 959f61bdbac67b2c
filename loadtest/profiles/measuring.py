"""From a run's log and samples to its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loadtest.profiles.charts import charts
from loadtest.profiles.result import Backlog, Result, Setup, Spell, Struck, Target, Use
from loadtest.profiles.sampling import Sample, used_by
from loadtest.profiles.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.lateness import SendReport
    from loadtest.profiles.judging import Judged
    from loadtest.profiles.shape import Profile, Targets

MINUTE_SECONDS = 60.0
OURS = ("worker", "sink", "gateway")
"""The processes whose memory a target is for; servers and the carrier's sandbox are the world's."""


class Course(NamedTuple):
    """How a run went: what the generator says, what was done to it, what was sampled, and whether it ended well."""

    sent: SendReport
    struck: list[Struck]
    samples: list[Sample]
    settled: bool
    drained: bool


def measure(setup: Setup, profile: Profile, course: Course, judged: Judged) -> Result:
    """Measure a run."""
    history = judged.history
    timing = Timing.of(history)
    seconds = max(profile.seconds, course.sent.seconds)
    warm = profile.warm_seconds
    last = timing.spell("last stage", warm, seconds)
    backlogs = _backlogs(profile, timing)
    uses = _uses(course.samples, timing.begin_ms, profile.seconds, len(history.raw_by_order))
    return Result(
        setup=setup,
        void=why_void(course.sent, profile.late_p99_ms_max),
        orders=len(history.raw_by_order),
        undecided=timing.undecided,
        sent=course.sent,
        accepted_records=len(history.raw),
        settled=course.settled,
        drained=course.drained,
        held=timing.spell("hold", warm, seconds, to_hold=True),
        last=last,
        phases=_phases(profile, timing),
        minutes=_minutes(timing, seconds),
        backlogs=backlogs,
        processes=uses,
        outcomes=judged.outcomes,
        faults=course.struck,
        targets=_targets(profile.targets, last, backlogs[0], uses, judged=setup.whole),
        findings=judged.findings,
        charts=charts(history, timing, course.samples, profile.seconds),
    )


def why_void(sent: SendReport, late_p99_ms_max: float) -> str:
    """Say why a run measured its generator and not the pipeline; empty: it did not."""
    late_ms = sent.late_p99_seconds * 1000
    if late_ms <= late_p99_ms_max:
        return ""
    return f"the generator itself was late: p99 {late_ms:.0f} ms, and late_p99_ms_max is {late_p99_ms_max:g}"


def _phases(profile: Profile, timing: Timing) -> list[Spell]:
    spells, begin = [], 0.0
    for phase in profile.phases:
        spells.append(timing.spell(phase.name, begin, begin + phase.seconds))
        begin += phase.seconds
    return spells


def _minutes(timing: Timing, seconds: float) -> list[Spell]:
    begins = [place * MINUTE_SECONDS for place in range(int(seconds / MINUTE_SECONDS) + 1)]
    spells = [timing.spell(f"minute {place}", begin, begin + MINUTE_SECONDS) for place, begin in enumerate(begins, 1)]
    return [spell for spell in spells if spell.orders]


def _backlogs(profile: Profile, timing: Timing) -> list[Backlog]:
    """Give the backlog after the busiest phase, and after the load."""
    ends, end = {}, 0.0
    for phase in profile.phases:
        end += phase.seconds
        ends[phase] = end
    busiest = max(profile.phases, key=lambda phase: phase.orders / phase.seconds)
    return [timing.backlog(f"phase {busiest.name}", ends[busiest]), timing.backlog("the load", end)]


def _uses(samples: Sequence[Sample], begin_ms: int, seconds: float, orders: int) -> list[Use]:
    """Say what each process took from the first order on."""
    taken = [sample for sample in samples if sample.at_ms >= begin_ms]
    middle, end = ((begin_ms + share * seconds * 1000) for share in (0.5, 1.0))
    later = [sample for sample in taken if middle <= sample.at_ms <= end]
    uses = []
    for name, used in sorted(used_by(taken).items()):
        sizes = [sample.processes[name].rss_bytes for sample in taken if name in sample.processes]
        uses.append(
            Use(
                process=name,
                cpu_seconds=used[-1],
                cpu_microseconds_per_order=used[-1] / max(1, orders) * 1e6,
                rss_bytes_begin=sizes[0],
                rss_bytes_max=max(sizes),
                growth_bytes_per_order=_growth(later, name),
            )
        )
    return uses


def _growth(samples: Sequence[Sample], name: str) -> float:
    """Give a process's growth over these samples by record that was sent; 0 of one that was started again meanwhile."""
    own = [(sample.sent, sample.processes[name]) for sample in samples if name in sample.processes]
    if len({usage.pid for _, usage in own}) != 1 or own[-1][0] <= own[0][0]:
        return 0.0
    return (own[-1][1].rss_bytes - own[0][1].rss_bytes) / (own[-1][0] - own[0][0])


def _targets(targets: Targets, last: Spell, backlog: Backlog, uses: Sequence[Use], *, judged: bool) -> list[Target]:
    growths = [use.growth_bytes_per_order for use in uses if use.process.startswith(OURS)]
    measured: dict[str, tuple[float | None, float | None]] = {
        "p99_ms": (targets.p99_ms, last.p99_seconds * 1000),
        "backlog_gone_seconds": (targets.backlog_gone_seconds, backlog.gone_seconds),
        "growth_bytes_per_order": (targets.growth_bytes_per_order, max(growths, default=0.0)),
    }
    return [
        Target(
            name=name,
            limit=limit,
            measured=value,
            met=(value is not None and value <= limit) if judged else None,
        )
        for name, (limit, value) in measured.items()
        if limit is not None
    ]
