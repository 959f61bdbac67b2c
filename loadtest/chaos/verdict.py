"""The oracle, put to a chaos run: to the whole of it at the end, and to its beginning while it goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from loadtest.chaos.replay import replay
from loadtest.oracle.checks import Finding, Line, Verdict, invariants
from loadtest.oracle.verdict import check_all, check_anytime, read_history

if TYPE_CHECKING:
    from loadtest.deployment import Site

LOOKS = 2
LOOK_AGAIN_SECONDS = 2.0


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """What the oracle says, by checks and by the invariants that they are parts of."""

    findings: list[Finding]
    invariants: list[Line] = []


def read_verdict(place: Site, *, replayed: bool) -> Verdicts:
    """Read everything afresh, and put it to every check; a run that is not `replayed` ended early, and is not at rest.

    Then only those checks count that hold at any moment.
    """
    if not replayed:
        return _verdicts(check_anytime(read_history(place.sources, live=True)))
    replay(place.settings, place.run_dir)
    return _verdicts(check_all(read_history(place.sources._replace(chaos=True))))


def is_broken(place: Site) -> bool:
    """Put what there is so far to the checks that hold at any moment.

    What is broken stays broken, since a log only grows: so it is looked at twice, with a pause, for a broker that was
    away between two readings cannot give a consistent cut.
    """
    for look in range(LOOKS):
        time.sleep(LOOK_AGAIN_SECONDS if look else 0.0)
        if not _is_broken_now(place):
            return False
    return True


def _is_broken_now(place: Site) -> bool:
    findings = check_anytime(read_history(place.sources, live=True))
    return any(finding.verdict is Verdict.BROKEN for finding in findings)


def _verdicts(findings: list[Finding]) -> Verdicts:
    return Verdicts(findings=findings, invariants=invariants(findings))
