"""`python -m pipeline policy …`: the limits of orders, reviews, refunds and alarms, as data.

    policy show [FILE]                  the limits of a file, with what it leaves out; without one the first ones
    policy set FILE --author NAME      let them hold from here on, in every partition

A file is a JSON object with any of the fields of `OrderPolicy`, and at least `version`, which every decision is marked
with: {"version": "2026-11", "unpaid_warn_ms": 1800000, "refund_b": {"vip_minor": 50000}, "refund_b_percent": 20}
Dedup, reservation and tracking take it each from its own record on. Where it fails half-way, set it again.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import msgspec

from pipeline import topics
from pipeline.desk.checking import read_json, told
from pipeline.desk.clock import now_ms
from pipeline.desk.sending import Sender
from pipeline.domain.order_policy import DEFAULT, OrderPolicy, RefundTiers, SetOrderPolicy
from pipeline.errors import HoldfastError
from pipeline.settings import read_settings

AUTHOR_CHARACTERS_MAX = 128
TIERS = ("refund_a", "refund_b")


def main(arguments: list[str]) -> int:
    """Run one of the commands. Gives 0; whatever is wrong is a HoldfastError."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline policy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("show", "set"))
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--author", default="", help="who sets them")
    options = parser.parse_args(arguments)
    policy = DEFAULT if options.file is None else read_policy(options.file)
    if options.command == "show":
        print(msgspec.json.format(msgspec.json.encode(as_object(policy))).decode())
        return 0
    if options.file is None or not options.author:
        parser.error("set: wants a file, and --author")
    command = SetOrderPolicy(at=now_ms(), policy=policy, author=options.author)
    if len(options.author) > AUTHOR_CHARACTERS_MAX:
        parser.error(f"--author: {len(options.author)} characters, {AUTHOR_CHARACTERS_MAX} are the most")
    settings = read_settings(os.environ, needs=("kafka",))
    with Sender(settings) as sender:
        for topic in (topics.ORDER_COMMANDS, topics.STOCK_COMMANDS, topics.TRACKING_COMMANDS):
            sender.broadcast(topic, command)
    print(f"policy {policy.version} is in the log")
    return 0


def read_policy(path: Path) -> OrderPolicy:
    """Read a file of limits. Raises HoldfastError, which names the file and the field."""
    told_of = read_json(path, dict[str, Any])
    try:
        return policy_of(told_of)
    except msgspec.ValidationError as error:
        message = f"{path}: {told(error)}"
        raise HoldfastError(message) from error


def policy_of(told: dict[str, Any]) -> OrderPolicy:
    """Make limits of named fields; what is not named is as at first. Raises msgspec.ValidationError."""
    if "version" not in told:
        message = "Object missing required field `version`"
        raise msgspec.ValidationError(message)
    known = as_object(DEFAULT)
    for name in told:
        if name not in known:
            message = f"there is no such limit; there are {', '.join(known)} - at `$.{name}`"
            raise msgspec.ValidationError(message)
    tiers = {name: _convert(told.get(name, {}), RefundTiers, name) for name in TIERS}
    values = {name: tiers.get(name, told.get(name, known[name])) for name in known}
    fields = msgspec.structs.fields(OrderPolicy)
    limits = {field.name: _convert(values[field.name], field.type, field.name) for field in fields}
    try:
        return OrderPolicy(**limits)
    except ValueError as error:
        name, _, why = str(error).partition(": ")
        message = f"{why} - at `$.{name}`"
        raise msgspec.ValidationError(message) from error


def _convert(value: Any, kind: Any, name: str) -> Any:  # noqa: ANN401  JSON, and what a field holds
    if kind is RefundTiers and isinstance(value, dict):
        known = msgspec.structs.asdict(RefundTiers())
        odd = [one for one in value if one not in known]
        if odd:
            message = f"there is no such limit - at `$.{name}.{odd[0]}`"
            raise msgspec.ValidationError(message)
        value = [value.get(one, default) for one, default in known.items()]
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message = f"{str(error).partition(' - at')[0]} - at `$.{name}`"
        raise msgspec.ValidationError(message) from error


def as_object(policy: OrderPolicy) -> dict[str, Any]:
    """Give limits by name."""
    found = msgspec.structs.asdict(policy)
    return found | {name: msgspec.structs.asdict(found[name]) for name in TIERS}
