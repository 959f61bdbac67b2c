"""The schedule of a chaos run: a pure function of profile, seed and number of faults.

Faults come at random moments, sometimes two at once, with quiet gaps between; after Jepsen's nemesis, which rotates
through its faults. Every kind comes up once before any comes up by weight, so that a short run has them all.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from loadtest.chaos.fault import Planned
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtest.chaos.fault import Kind

WARM_UP_SECONDS = 3.0
"""Load without a fault at the beginning: a first commit, a first row, before the first fault."""


class Profile(NamedTuple):
    """How dense a run is. Shares of 1."""

    faults: int
    orders: int
    seconds_per_fault: float
    """Between the beginnings of two faults, on average."""
    together_share: float
    """Of the faults so many begin with the one before."""
    quiet_share: float
    """After so many of the faults there is a quiet gap."""
    quiet_gaps: float = 3.0
    """How many times as long as an ordinary one a quiet gap is."""


PROFILES = {
    "short": Profile(faults=42, orders=4_000, seconds_per_fault=3.0, together_share=0.2, quiet_share=0.08),
    "targeted": Profile(faults=4, orders=1_000, seconds_per_fault=2.0, together_share=0.3, quiet_share=0.0),
    "long": Profile(faults=260, orders=78_000, seconds_per_fault=2.3, together_share=0.25, quiet_share=0.06),
}


def draw_schedule(profile: Profile, seed: int, faults: int, kinds: Sequence[Kind]) -> list[Planned]:
    """Draw the faults of a run, by time. Raises SettingsError where there are more kinds than faults."""
    if faults < len(kinds):
        message = f"--faults: {faults} are not enough, there are {len(kinds)} kinds of faults"
        raise SettingsError(message)
    chance = Random(seed)  # noqa: S311 - a choice to repeat, not a secret
    by_name = {kind.name: kind for kind in kinds}
    planned = []
    at = WARM_UP_SECONDS
    for number, name in enumerate(_rotation(chance, faults, by_name), 1):
        planned.append(Planned(number=number, kind=name, at_seconds=round(at, 3), params=by_name[name].draw(chance)))
        at += _gap(chance, profile)
    return planned


def _rotation(chance: Random, faults: int, by_name: Mapping[str, Kind]) -> list[str]:
    """Give each kind once, the rest by weight, and all of it in a random order."""
    names = list(by_name)
    rest = chance.choices(names, [by_name[name].weight for name in names], k=faults - len(names))
    chosen = [*names, *rest]
    chance.shuffle(chosen)
    return chosen


def _gap(chance: Random, profile: Profile) -> float:
    """Draw the time to the next fault, so that its mean is the profile's."""
    draw = chance.random()
    if draw < profile.together_share:
        return 0.0
    quiet = draw > 1 - profile.quiet_share
    usual = profile.seconds_per_fault / (1 - profile.together_share + (profile.quiet_gaps - 1) * profile.quiet_share)
    return chance.uniform(0.5, 1.5) * usual * (profile.quiet_gaps if quiet else 1.0)


def count_kinds(planned: Sequence[Planned]) -> Counter[str]:
    """Count the planned faults by kind."""
    return Counter(fault.kind for fault in planned)


def length_seconds(planned: Sequence[Planned], profile: Profile) -> float:
    """Say how long the base load lasts: until the last fault, and a gap more."""
    return planned[-1].at_seconds + profile.seconds_per_fault if planned else WARM_UP_SECONDS
