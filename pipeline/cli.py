"""The commands of `python -m pipeline`: a table from a word to the module whose `main` runs it."""

from __future__ import annotations

import importlib
import sys
from typing import NamedTuple

from pipeline.errors import HoldfastError


class Command(NamedTuple):
    """A command: the module that has `main(arguments) -> exit status`, and one line that says what it does."""

    module: str
    summary: str


COMMANDS = {
    "demo": Command("loadtest.demo", "run the main job on real orders, kill a worker, check the outcome"),
    "test": Command("pipeline.testing", "run the tests"),
    "services": Command("pipeline.services.cli", "start, stop and show the embedded Kafka, Redis and ClickHouse"),
    "topics": Command("agents.topics", "create the topics and the group's first offsets"),
    "worker": Command("agents.worker", "run one Faust worker with all stages, or some"),
    "up": Command("agents.supervisor", "run workers, sink, gateway and what else is needed; restart what exits"),
    "faust": Command("agents.faust_cli", "Faust's own commands on the app: agents, model, …"),
    "sink": Command("sinks.main", "stream order.events into ClickHouse and Redis"),
    "gateway": Command("pipeline.carriers.gateway", "take carriers' pushes into Kafka"),
    "sandbox": Command("pipeline.carriers.sandbox", "a local carrier that speaks SF's format"),
    "network": Command("pipeline.network.main", "tell a pool of its routing plan, products, warehouses, and scans"),
    "clock": Command("pipeline.desk.clock", "say into the log what time it is: time limits need it"),
    "review": Command("pipeline.desk.review", "list orders held for review; claim, approve, reject them, look again"),
    "stock": Command("pipeline.desk.stock", "receipts, counts, corrections, transfers, presale, flash sales, bundles"),
    "refunds": Command("pipeline.desk.refunds", "list and compare refunds; approve, reject, confirm them"),
    "policy": Command("pipeline.desk.policy", "show the limits of orders and refunds; set others"),
    "rules": Command("pipeline.rules.main", "show, check, try, activate, switch, roll back the review rules"),
    "status": Command("sinks.status", "show where an order stands"),
    "explain": Command("sinks.explain", "tell an order's whole story: each step, its cause, its rules and scores"),
}


def main(arguments: list[str]) -> int:
    """Run one command. Gives its exit status; a known error is one line on stderr and status 2."""
    if not arguments or arguments[0] not in COMMANDS:
        wanted = arguments[0] if arguments else ""
        known = wanted in {"", "-h", "--help", "help"}
        if not known:
            print(f"unknown command: {wanted}", file=sys.stderr)
        print(usage(), file=sys.stdout if known else sys.stderr)
        return 0 if known else 2
    command = importlib.import_module(COMMANDS[arguments[0]].module)
    try:
        return int(command.main(arguments[1:]))
    except HoldfastError as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 2


def usage() -> str:
    """List the commands."""
    width = max(map(len, COMMANDS))
    lines = (f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items())
    return "\n".join(("usage: python -m pipeline COMMAND …", "", *lines))
