"""A simulation of skew: merchants of very different sizes, hashed to partitions as Kafka does, shared among workers.

A merchant is a stock pool; the sizes follow Zipf's law. One that sells more than a partition can take is split into
regional pools of equal size. Partitions are dealt to workers in turn, as the group's assignor does it, so a worker has
the load of its partitions: their pools' orders, and an even share of what is keyed by order or parcel. Where each has
as many partitions, the number of partitions changes nothing: a hash by partitions by workers is one by workers. What
helps is smaller pools.
"""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from loadtest.recovery.murmur import SIGN, murmur2

if TYPE_CHECKING:
    from collections.abc import Sequence

P95 = 0.95


class Merchants(msgspec.Struct, frozen=True, kw_only=True):
    """Who sells: how many merchants, how uneven, and the largest share of all orders that one pool may have."""

    merchants: int
    exponent: float
    pool_share_max: float


class Skew(msgspec.Struct, frozen=True, kw_only=True):
    """How much more than the mean the busiest worker has to do, with pools of at most that share of all orders."""

    pool_share_max: float
    pools: int
    worker_median: float
    worker_p95: float


def pools_of(merchants: Merchants, seed: int) -> list[tuple[int, float]]:
    """Give each pool's hash and its share of all orders; the largest merchants have several pools."""
    sizes = [1 / rank**merchants.exponent for rank in range(1, merchants.merchants + 1)]
    whole = sum(sizes)
    found = []
    for rank, size in enumerate(sizes):
        share = size / whole
        parts = math.ceil(share / merchants.pool_share_max)
        names = [f"{seed}-merchant-{rank}-{part}" for part in range(parts)]
        found += [(murmur2(name.encode()) & SIGN, share / parts) for name in names]
    return found


def simulate(merchants: Merchants, workers: int, keyed_share: float, partitions: int, seeds: int) -> Skew:
    """Try `seeds` hashes; `keyed_share` of the work is keyed by pool, the rest is spread evenly."""
    tries = [pools_of(merchants, seed) for seed in range(seeds)]
    busiest = sorted(_busiest_worker(_loads(pools, partitions), workers, keyed_share) for pools in tries)
    return Skew(
        pool_share_max=merchants.pool_share_max,
        pools=len(tries[0]),
        worker_median=median(busiest),
        worker_p95=busiest[min(len(busiest) - 1, int(P95 * len(busiest)))],
    )


def _loads(pools: Sequence[tuple[int, float]], partitions: int) -> list[float]:
    loads = [0.0] * partitions
    for digest, share in pools:
        loads[digest % partitions] += share
    return loads


def _busiest_worker(loads: Sequence[float], workers: int, keyed_share: float) -> float:
    """Give the busiest worker's load, where 1 is the mean. A worker has the same partitions of every topic."""
    own = [0.0] * workers
    for number, load in enumerate(loads):
        own[number % workers] += keyed_share * load + (1 - keyed_share) / len(loads)
    return max(own) * workers
