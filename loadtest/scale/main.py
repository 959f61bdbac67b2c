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
from loadtest.options import at_least, writable, write_json
from loadtest.scale.needs import Needs, reckon
from loadtest.scale.skew import Merchants, Skew, simulate
from loadtest.showing import console
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import Console

MEASURED = Path(__file__).parent.parent / "results" / "costs.json"
PARTITIONS_PER_WORKER = 4
"""So that a worker more takes some from each of the others."""
POOL_ORDERS_PER_SECOND = (1e9, 4000.0, 2000.0, 1000.0, 500.0, 250.0)
"""The largest pools that are tried: merchants that sell more have several; the first number lets all have one."""
SEEDS = 20


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """The answer."""

    needs: Needs
    partitions: int
    merchants: int
    exponent: float
    skews: list[Skew]
    pool_orders_per_second: float | None
    """The largest pools tried that leave the busiest worker below its core, in 19 of 20 tries; None: none did."""


def main(arguments: list[str]) -> int:
    """Reckon, simulate, show. Gives 0 if some size of pools that was tried is small enough."""
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
        write_json(options.json, found)
    return 0 if found.pool_orders_per_second else 1


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
    partitions = needs.workers * PARTITIONS_PER_WORKER
    skews, enough = [], None
    for most in POOL_ORDERS_PER_SECOND:
        share = min(1.0, most / options.orders_per_second)
        merchants = Merchants(merchants=options.merchants, exponent=options.exponent, pool_share_max=share)
        skews.append(simulate(merchants, needs.workers, needs.pool_share, partitions, options.seeds))
        if enough is None and skews[-1].worker_p95 * options.utilisation <= 1:
            enough = share * options.orders_per_second
    return Scale(
        needs=needs,
        partitions=partitions,
        merchants=options.merchants,
        exponent=options.exponent,
        skews=skews,
        pool_orders_per_second=enough,
    )


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
    out.print(
        f"{needs.pool_share:.0%} of a worker's work is keyed by stock pool: {needs.pool_microseconds:.0f} µs an order"
    )
    sellers = f"{found.merchants:,} merchants, Zipf {found.exponent:g}"
    table = Table(title=f"{sellers}, {needs.workers} workers, {found.partitions} partitions")
    for column in ("orders/s of a pool at most", "pools", "busiest worker: median", "p95"):
        table.add_column(column, justify="right")
    for skew in found.skews:
        most = f"{skew.pool_share_max * needs.orders_per_second:,.0f}"
        table.add_row(most, f"{skew.pools:,}", f"{skew.worker_median:.2f}x", f"{skew.worker_p95:.2f}x")
    out.print(table)
    if found.pool_orders_per_second:
        out.print(
            f"pools of {found.pool_orders_per_second:,.0f} orders/s at most leave the busiest worker below its core"
        )
    else:
        out.print("no size of pools that was tried is small enough: more workers, or a lower utilisation")
