"""`python -m pipeline stock …`: what warehouses and planners say of a pool's stock.

    stock receive POOL WAREHOUSE SKU=UNITS … [--inbound ID]     goods arrived
    stock count POOL WAREHOUSE SKU UNITS                        so many were counted; only what is wrong is corrected
    stock adjust POOL WAREHOUSE SKU CHANGE --reason WHY         so many more (5), or fewer (-5)
    stock announce POOL WAREHOUSE INBOUND SKU=UNITS …           goods are confirmed to come: presale sells them
    stock close-inbound POOL INBOUND                            the rest of them will not come
    stock transfer POOL SKU UNITS --from stock --to safety      between stock, flash and safety
    stock flash POOL FLASH SKU UNITS --opens TIME --closes TIME [--per-buyer N]
    stock bundle POOL SKU PART=UNITS …                          what a SKU is made of; without parts it is itself again
    stock safety POOL SKU --lead-days N [--floor UNITS]         watch its level
    stock file FILE                                             any of these, a JSON object a line; all of them or none
    stock result POOL FEED_ID                                   what came of it
    stock suggest [--cover DAYS] [--json]                       what should be moved ahead of its orders

A line of a file: {"feed": "receive", "pool": "P", "warehouse": "w1", "units": {"SKU-A": 5}}, with the fields of the
command. A feed counts once by its id: that of a file's line is made of the file and the line, so a file may be sent
again; else of the time, unless `--feed-id` gives one. `--wait SECONDS` waits for the answers, and says what was
refused. Times are milliseconds UTC, or ISO 8601 with a zone.
"""

from __future__ import annotations

import argparse
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import topics
from pipeline.desk.clock import now_ms
from pipeline.desk.positions import COVER_DAYS_MAX, show_suggestions
from pipeline.desk.results import tell_results
from pipeline.desk.sending import Sender
from pipeline.desk.stock_lines import command_of, read_lines
from pipeline.errors import HoldfastError
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from pipeline.desk.stock_lines import Feed

PAIRS = {"receive": "units", "announce": "units", "bundle": "parts"}
"""Which field the `SKU=UNITS` of a command are."""
NOT_FIELDS = frozenset({"feed", "feed_id", "wait", "pairs", "file"})


def main(arguments: list[str]) -> int:
    """Send what was asked for. Gives 0; 1 where an answer was waited for, and is a refusal or did not come."""
    asked = _parser().parse_args(arguments)
    if asked.wait < 0:
        message = f"--wait: must not be below 0 (it is {asked.wait:g})"
        raise HoldfastError(message)
    if asked.feed == "suggest":
        return show_suggestions(read_settings(os.environ, needs=("clickhouse",)), asked.cover, as_json=asked.json)
    if asked.feed == "result":
        return tell_results(read_settings(os.environ, needs=("clickhouse",)), [(asked.pool, asked.feed_id)], asked.wait)
    feeds = read_lines(asked.file, now_ms()) if asked.feed == "file" else [_feed(asked, now_ms())]
    settings = read_settings(os.environ, needs=("kafka", "clickhouse") if asked.wait else ("kafka",))
    with Sender(settings) as sender:
        for feed in feeds:
            sender.send(topics.STOCK_COMMANDS, feed.pool, [feed.command])
    shown = f" ({feeds[0].feed_id})" if len(feeds) == 1 else ""
    print(f"{asked.feed}: {len(feeds)} feed(s) are in the log{shown}")
    return tell_results(settings, [(feed.pool, feed.feed_id) for feed in feeds], asked.wait) if asked.wait else 0


def _feed(asked: argparse.Namespace, at: int) -> Feed:
    """Give what the command line says, in the words of a file's line."""
    line = {name: value for name, value in vars(asked).items() if value is not None and name not in NOT_FIELDS}
    if asked.feed in PAIRS:
        line[PAIRS[asked.feed]] = _pairs(asked.pairs)
    line["feed"] = asked.feed
    if asked.feed_id:
        line["flash_id" if asked.feed == "flash" else "feed_id"] = asked.feed_id
    return command_of(line, asked.feed, at, f"{asked.feed}-{at}")


def _pairs(texts: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for text in texts:
        sku, equals, units = text.rpartition("=")
        if not equals or not units.lstrip("-").isdecimal():
            message = f"{text}: wants SKU=UNITS"
            raise HoldfastError(message)
        found[sku] = found.get(sku, 0) + int(units)
    return found


def _time(text: str) -> int:
    """Read a time, as milliseconds UTC."""
    if text.isdecimal():
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        message = "wants milliseconds UTC, or ISO 8601 such as 2026-11-11T20:00+08:00"
        raise argparse.ArgumentTypeError(message) from error
    if found.tzinfo is None:
        message = "wants a time zone, such as +08:00"
        raise argparse.ArgumentTypeError(message)
    return int(found.timestamp() * 1000)


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= COVER_DAYS_MAX:
        message = f"from 1 to {COVER_DAYS_MAX} days (it is {text})"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline stock", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--feed-id", default="", help="the id by which the feed counts once")
    parser.add_argument("--at", type=_time, help="when it happened (now)")
    parser.add_argument("--wait", type=float, default=0.0, help="so many seconds for the answer (%(default)s)")
    kinds = parser.add_subparsers(dest="feed", required=True)
    one: dict[str, Any] = {}
    for name, places in {
        "receive": ("pool", "warehouse"),
        "count": ("pool", "warehouse", "sku"),
        "adjust": ("pool", "warehouse", "sku"),
        "announce": ("pool", "warehouse", "inbound_id"),
        "close-inbound": ("pool", "inbound_id"),
        "transfer": ("pool", "sku"),
        "flash": ("pool", "flash_id", "sku"),
        "bundle": ("pool", "sku"),
        "safety": ("pool", "sku"),
        "result": ("pool", "feed_id"),
    }.items():
        one[name] = kinds.add_parser(name)
        for place in places:
            one[name].add_argument(place)
    _add_options(one)
    kinds.add_parser("file").add_argument("file", type=Path)
    suggest = kinds.add_parser("suggest", help="from what sold near each warehouse in 14 days, and what is there")
    suggest.add_argument("--cover", type=_days, default=7, help="days that a warehouse should have for (%(default)s)")
    suggest.add_argument("--json", action="store_true")
    return parser


def _add_options(one: dict[str, Any]) -> None:
    for name in PAIRS:
        one[name].add_argument("pairs", metavar="SKU=UNITS", nargs="*" if name == "bundle" else "+")
    one["receive"].add_argument("--inbound", dest="inbound_id", help="the announced delivery that they are of")
    one["count"].add_argument("counted_units", type=int)
    one["adjust"].add_argument("change_units", type=int)
    one["adjust"].add_argument("--reason", required=True)
    for name in ("transfer", "flash"):
        one[name].add_argument("units", type=int)
    one["transfer"].add_argument("--from", dest="from_pool", required=True)
    one["transfer"].add_argument("--to", dest="to_pool", required=True)
    one["flash"].add_argument("--opens", dest="opens_at", type=_time, required=True)
    one["flash"].add_argument("--closes", dest="closes_at", type=_time, required=True)
    one["flash"].add_argument("--per-buyer", dest="per_buyer_max", type=int)
    one["safety"].add_argument("--lead-days", type=int, required=True)
    one["safety"].add_argument("--floor", dest="floor_units", type=int)
