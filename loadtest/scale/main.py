"""`python -m loadtest scale`: what many orders a second would need, from measured costs, and how they would spread.

No cluster is started: the costs are those that `python -m loadtest costs` measured, and the spread is a simulation.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.table import Table

from loadtest.costs.main import Costs
from loadtest.options import at_least, writable
from loadtest.scale.needs import MICROSECONDS, Needs, reckon
from loadtest.scale.skew import Merchants, Skew, simulate
from loadtest.showing import console
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import Console

MEASURED = Path(__file__).parent.parent / "results" / "costs.json"
PARTITIONS_PER_WORKER = (1, 2, 4, 8, 16)
SEEDS = 20


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """The answer."""

    needs: Needs
    merchants: Merchants
    skews: list[Skew]
    partitions: int | None
    """The fewest tried that leave the busiest worker below its core, in 19 of 20 tries; None: none did."""


def main(arguments: list[str]) -> int:
    """Reckon, simulate, show. Gives 0 if some number of partitions tried is enough."""
    parser = argparse.ArgumentParser(prog="python -m loadtest scale", description=__doc__)
    parser.add_argument("--orders-per-second", type=float, default=100_000.0, help="(%(default)g)")
    parser.add_argument("--costs", type=Path, default=MEASURED, help="what `costs --json` wrote (%(default)s)")
    parser.add_argument("--utilisation", type=float, default=0.6, help="of a core at the peak (%(default)g)")
    parser.add_argument("--replication", type=int, default=3, help="copies of the log (%(default)s)")
    parser.add_argument("--merchants", type=int, default=5000, help="(%(default)s)")
    parser.add_argument("--exponent", type=float, default=1.0, help="of Zipf's law, 0: all alike (%(default)g)")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="tries of the hash (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the result to this file as data")
    options = parser.parse_args(arguments)
    _check(options)
    found = reckon_scale(options)
    _show(console(), found)
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    return 0 if found.partitions else 1


def _check(options: argparse.Namespace) -> None:
    at_least(1, replication=options.replication, merchants=options.merchants, seeds=options.seeds)
    writable(json=options.json)
    for name, number, low, high in (
        ("--orders-per-second", options.orders_per_second, 0, 1e9),
        ("--utilisation", options.utilisation, 0, 1),
        ("--exponent", options.exponent, -1e-9, 5),
    ):
        if not low < number <= high:
            message = f"{name}: must be above {max(low, 0):g} and at most {high:g} (it is {number:g})"
            raise SettingsError(message)


def reckon_scale(options: argparse.Namespace) -> Scale:
    """Reckon and simulate. Raises SettingsError for a file of costs that cannot be used."""
    needs = reckon(read_costs(options.costs), options.orders_per_second, options.utilisation, options.replication)
    pool_orders = MICROSECONDS * options.utilisation / needs.pool_microseconds
    merchants = Merchants(
        merchants=options.merchants,
        exponent=options.exponent,
        pool_share_max=min(1.0, pool_orders / 2 / options.orders_per_second),
    )
    tried = [needs.workers * each for each in PARTITIONS_PER_WORKER]
    skews = simulate(merchants, needs.workers, needs.pool_share, tried, options.seeds)
    enough = [skew.partitions for skew in skews if skew.worker_p95 * options.utilisation <= 1]
    return Scale(needs=needs, merchants=merchants, skews=skews, partitions=min(enough, default=None))


def read_costs(path: Path) -> Costs:
    """Read measured costs. Raises SettingsError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Costs)
    except (OSError, msgspec.DecodeError) as error:
        message = f"--costs {path}: {error}; `python -m loadtest costs --json {path}` makes it"
        raise SettingsError(message) from error


def _show(out: Console, found: Scale) -> None:
    needs = found.needs
    table = Table(title=f"{needs.orders_per_second:,.0f} orders/s, cores {needs.utilisation:.0%} busy")
    for column in ("part", "cores", "processes", "from"):
        table.add_column(column, justify="right" if column in {"cores", "processes"} else "left")
    for need in needs.needs:
        table.add_row(need.part, f"{need.cores:,.0f}", f"{need.processes:,}", need.how)
    out.print(table)
    out.print(f"the log takes {needs.log_megabytes_per_second:,.0f} MB/s, all replicas, before compression")
    merchants = found.merchants
    most = merchants.pool_share_max * needs.orders_per_second
    out.print(
        f"{needs.pool_share:.0%} of a worker's work is keyed by stock pool: {needs.pool_microseconds:.0f} µs an order"
    )
    out.print(f"a pool has {most:,.0f} orders/s at most: a merchant that sells more has several")
    table = Table(title=f"{merchants.merchants:,} merchants, Zipf {merchants.exponent:g}, {needs.workers} workers")
    for column in ("partitions", "pools", "busiest worker: median", "p95", "busiest partition"):
        table.add_column(column, justify="right")
    for skew in found.skews:
        figures = (f"{ratio:.2f}x" for ratio in (skew.worker_median, skew.worker_p95, skew.partition_median))
        table.add_row(f"{skew.partitions:,}", f"{skew.pools:,}", *figures)
    out.print(table)
    if found.partitions:
        out.print(f"{found.partitions:,} partitions are enough: the busiest worker stays below its core")
    else:
        out.print(
            "no number of partitions that was tried is enough: more pools for the large merchants, or more workers"
        )
