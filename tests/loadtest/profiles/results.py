"""A result to test with."""

from __future__ import annotations

from loadtest.lateness import report
from loadtest.oracle.checks import Finding, Verdict
from loadtest.profiles.result import Backlog, Chart, Course, Result, Setup, Spell, Struck, Target, Use


def spell(name: str, p99_seconds: float = 0.2) -> Spell:
    return Spell(
        name=name,
        begin_seconds=0,
        orders=100,
        p50_seconds=0.05,
        p95_seconds=0.1,
        p99_seconds=p99_seconds,
        max_seconds=p99_seconds * 2,
    )


def use(process: str, cpu: float = 500.0, megabytes: int = 100) -> Use:
    size = megabytes * 1_000_000
    return Use(
        process=process,
        cpu_seconds=0.05,
        cpu_microseconds_per_order=cpu,
        rss_bytes_begin=size,
        rss_bytes_max=size,
        growth_bytes_per_order=10,
    )


SETUP = Setup(
    profile="burst",
    says="a <burst> & more",
    date="2026-11-23T12:00:00+00:00",
    seed=7,
    scale=1.0,
    seconds=60,
    workers=2,
    replay="",
    whole=True,
    judged=True,
    machine="2 cores",
)
HELD = Finding(name="one outcome", claim="has <one>", verdict=Verdict.HELD, judged=9, broken=0, first=())
RESULT = Result(
    setup=SETUP,
    void="",
    orders=100,
    undecided=0,
    sent=report([0.001] * 100, 10.0, 10.0, 0),
    accepted_records=100,
    settled=True,
    drained=True,
    held=spell("hold"),
    last=spell("last stage"),
    phases=[spell("before"), spell("burst")],
    minutes=[spell("minute 1")],
    backlogs=[
        Backlog(after="phase burst", orders=50, gone_seconds=10.0),
        Backlog(after="the load", orders=0, gone_seconds=0),
    ],
    processes=[use("kafka"), use("worker-0"), use("generator")],
    outcomes={"signed": 99, "refused": 1},
    faults=[Struck(kind="carrier-outage", at_seconds=1, told="out for 3.0 s: 7 calls failed")],
    targets=[Target(name="backlog_gone_seconds", limit=30, measured=10.0, met=True)],
    findings=[HELD],
    charts=[
        Chart(
            title="Rate",
            unit="per second",
            at_seconds=[0, 1, 2],
            courses=[Course(name="sent", values=[1.0, None, 1200.0]), Course(name="decided", values=[0, 0, 0])],
        ),
        Chart(title="Nothing", unit="MB", at_seconds=[], courses=[]),
    ],
)
