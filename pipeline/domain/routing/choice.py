"""Which warehouses ship an order together: the fewest that can, and of those the best scored.

Tried in this order: warehouses that are open and have room today, of shelves above the water line; then all that are
open; then the closed ones too, whose units are the pool's all the same: what only a closed warehouse has waits there.
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, NamedTuple

from pipeline.domain.routing.scores import CLOSED, FULL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.domain.routing.scores import Candidate

SEARCH_MAX = 20_000
"""Combinations of one size, times lines. Beyond it, whoever ships most of what is left is taken next."""


STANDINGS = ("", FULL, CLOSED)


class Offer(NamedTuple):
    """How many of the units of each line a warehouse could ship."""

    candidate: Candidate
    could: Sequence[int]


class Share(NamedTuple):
    """How many of the units of each line a warehouse does ship."""

    candidate: Candidate
    takes: Sequence[int]


def choose(found: Sequence[Candidate], wanted: Sequence[int], water_line: int) -> list[Share]:
    """Choose among candidates that are in the order of their distance; nothing where they cannot ship it together."""
    ranked = sorted(found, key=_best)
    for offers in _passes(ranked, wanted, water_line):
        if _cover(offers, wanted):
            return _shared(_fewest(offers, wanted), wanted)
    return []


def _best(candidate: Candidate) -> tuple[int, int]:
    """Rank open warehouses before full ones, closed ones last; then by score."""
    return STANDINGS.index(candidate.standing), -candidate.score


def _passes(ranked: Sequence[Candidate], wanted: Sequence[int], water_line: int) -> Iterator[list[Offer]]:
    yield _offers([candidate for candidate in ranked if not candidate.standing], wanted, water_line)
    yield _offers([candidate for candidate in ranked if candidate.standing != CLOSED], wanted, 0)
    yield _offers(ranked, wanted, 0)


def _offers(candidates: Sequence[Candidate], wanted: Sequence[int], water_line: int) -> list[Offer]:
    offers = [
        Offer(
            candidate,
            [min(free, want) if free >= water_line else 0 for free, want in zip(candidate.free, wanted, strict=True)],
        )
        for candidate in candidates
    ]
    return [offer for offer in offers if any(offer.could)]


def _cover(offers: Sequence[Offer], wanted: Sequence[int]) -> bool:
    return bool(offers) and all(sum(offer.could[line] for offer in offers) >= want for line, want in enumerate(wanted))


def _fewest(offers: Sequence[Offer], wanted: Sequence[int]) -> Sequence[Offer]:
    """Give the fewest that can, the best scored of them first."""
    for size in range(1, len(offers)):
        if comb(len(offers), size) * len(wanted) > SEARCH_MAX:
            return _greedy(offers, wanted)
        able = [some for some in combinations(offers, size) if _cover(some, wanted)]
        if able:
            return max(able, key=_total)
    return offers


def _total(offers: Sequence[Offer]) -> int:
    return sum(offer.candidate.score for offer in offers)


def _greedy(offers: Sequence[Offer], wanted: Sequence[int]) -> Sequence[Offer]:
    """Take whoever ships most of what is left, until nothing is."""
    left, taken = list(wanted), []
    while any(left):
        ships = [sum(map(min, offer.could, left)) for offer in offers]
        most = offers[ships.index(max(ships))]
        left = [want - min(could, want) for could, want in zip(most.could, left, strict=True)]
        taken.append(most)
    return taken


def _shared(chosen: Sequence[Offer], wanted: Sequence[int]) -> list[Share]:
    """Let each take what it can of what those before it leave."""
    left, shares = list(wanted), []
    for candidate, could in chosen:
        takes = [min(free, want) for free, want in zip(could, left, strict=True)]
        left = [want - took for want, took in zip(left, takes, strict=True)]
        shares.append(Share(candidate, takes))
    return shares
