"""What a check is, and what comes of it."""

from __future__ import annotations

from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadtest.oracle.history import History

OFFENDERS_SHOWN_MAX = 5


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


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one check: how many it judged, how many did not hold, and the first of these."""

    name: str
    claim: str
    verdict: Verdict
    judged: int
    broken: int
    first: tuple[str, ...]


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
    return _finding(check, Verdict.BROKEN if broken else Verdict.HELD, judged, (broken, first))


def _finding(check: Check, verdict: Verdict, judged: int, found: tuple[int, tuple[str, ...]]) -> Finding:
    broken, first = found
    return Finding(name=check.name, claim=check.claim, verdict=verdict, judged=judged, broken=broken, first=first)


def all_held(findings: list[Finding]) -> bool:
    """Say whether every check could judge, and held."""
    return all(finding.verdict is Verdict.HELD for finding in findings)
