"""What a check is, and what comes of it."""

from __future__ import annotations

from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from loadtest.oracle.history import History

OFFENDERS_SHOWN_MAX = 5
INVARIANTS: Mapping[str, str] = {
    "I1": "units are conserved",
    "I2": "nothing is below zero, at any point",
    "I3": "an order is held once, whole, and settled once",
    "I4": "every order has exactly one outcome, none is lost, none invented",
    "I5": "one live waybill for what shipped, none for the rest, by the carrier's book",
    "I6": "every record is answered exactly once",
    "I7": "states move forward, and only as they may",
    "I8": "state is the fold of the log: tables, changelogs and Redis",
    "I9": "ClickHouse has every event once",
    "I10": "nothing is left waiting, nothing is left open",
    "I11": "memory, tables, parts and dead letters stay bounded",
    "I12": "no personal data where none may be",
    "I14": "a replay gives the same",
    "I15": "the faults really hit",
}
"""The invariants, by their names in the README."""


class Verdict(StrEnum):
    """What a check says. Invalid: it could not judge, which is not a pass."""

    HELD = "held"
    BROKEN = "broken"
    INVALID = "invalid"


class Check(NamedTuple):
    """A named claim about a history. `offenders` gives a line for each place where it does not hold."""

    name: str
    claim: str
    needs: tuple[str, ...]
    """The sources that it reads; each must be there."""
    judged: Callable[[History], int]
    """How many things it judges; of none nothing can be said."""
    offenders: Callable[[History], Iterator[str]]
    may_judge_nothing: bool = False
    """Whether it holds, and is not invalid, where there is nothing to judge."""
    invariant: str = ""
    """The invariant that it is a part of: a key of INVARIANTS."""
    anytime: bool = False
    """Whether it holds at any moment of a run, and not only at rest."""
    proves_a_fault: bool = False
    """Whether offenders say that the run proves too little, and not that anything went wrong: then it is invalid."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one check: how many it judged, how many did not hold, and the first of these."""

    name: str
    claim: str
    verdict: Verdict
    judged: int
    broken: int
    first: tuple[str, ...]
    invariant: str = ""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an invariant: broken if a check of it is, else invalid if one is, else held."""

    invariant: str
    claim: str
    verdict: Verdict
    checks: tuple[str, ...]
    judged: int
    first: tuple[str, ...]


def invariants(findings: Sequence[Finding]) -> list[Line]:
    """Give a line for each invariant that was judged, in their order."""
    lines = []
    for invariant, claim in INVARIANTS.items():
        own = [finding for finding in findings if finding.invariant == invariant]
        verdicts = {finding.verdict for finding in own}
        if not own:
            continue
        worst = next(verdict for verdict in (Verdict.BROKEN, Verdict.INVALID, Verdict.HELD) if verdict in verdicts)
        first = [f"{finding.name}: {line}" for finding in own if finding.verdict is worst for line in finding.first]
        lines.append(
            Line(
                invariant=invariant,
                claim=claim,
                verdict=worst,
                checks=tuple(finding.name for finding in own),
                judged=sum(finding.judged for finding in own),
                first=tuple(first[:OFFENDERS_SHOWN_MAX]) if worst is not Verdict.HELD else (),
            )
        )
    return lines


def judge(check: Check, history: History) -> Finding:
    """Put a history to a check."""
    gone = tuple(f"{source}: {history.missing[source]}" for source in check.needs if source in history.missing)
    judged = 0 if gone else check.judged(history)
    if gone or (judged == 0 and not check.may_judge_nothing):
        reasons = gone or ("there is nothing to judge",)
        return _finding(check, Verdict.INVALID, judged, (0, reasons))
    offenders = check.offenders(history)
    first = tuple(islice(offenders, OFFENDERS_SHOWN_MAX))
    broken = len(first) + sum(1 for _ in offenders)
    worst = Verdict.INVALID if check.proves_a_fault else Verdict.BROKEN
    return _finding(check, worst if broken else Verdict.HELD, judged, (broken, first))


def _finding(check: Check, verdict: Verdict, judged: int, found: tuple[int, tuple[str, ...]]) -> Finding:
    broken, first = found
    return Finding(
        name=check.name,
        claim=check.claim,
        verdict=verdict,
        judged=judged,
        broken=broken,
        first=first,
        invariant=check.invariant,
    )


def all_held(findings: list[Finding]) -> bool:
    """Say whether every check could judge, and held."""
    return all(finding.verdict is Verdict.HELD for finding in findings)
