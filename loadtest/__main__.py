"""The commands of `python -m loadtest`."""

from __future__ import annotations

import importlib
import sys

from pipeline.bootstrap import enter
from pipeline.errors import HoldfastError

COMMANDS = {
    "demo": ("loadtest.demo", "replay real orders, kill a worker, check the outcome"),
    "send": ("loadtest.send", "replay real orders into orders.raw"),
    "flash": ("loadtest.flash.main", "sell a flash sale to far more buyers than it has units, and kill a worker"),
    "profile": ("loadtest.profiles.main", "send a load of a profile in an open loop, and report what came of it"),
    "record": ("loadtest.profiles.record", "record raw orders in a file, to be sent again by a profile"),
    "drain": ("loadtest.drain", "measure how fast all stages work off a topic that is full"),
    "costs": ("loadtest.costs.main", "account for the CPU time of an order, by stage, piece and process"),
    "holds": ("loadtest.holding", "measure what a hold costs with many SKUs, and when all want one"),
    "express": ("loadtest.express", "measure how far expedited orders get ahead under a backlog, and what it costs"),
    "scale": ("loadtest.scale.main", "reckon what many more orders a second would need, and how they would spread"),
    "recovery": ("loadtest.recovery.main", "measure what a restart costs a worker that remembers a million orders"),
    "chaos": ("loadtest.chaos.main", "replay real orders under faults of every kind, and judge what came of it"),
    "chaos-report": ("loadtest.chaos.report", "sum up the outcomes of several chaos runs"),
    "control": ("loadtest.chaos.control", "put stock Faust and this engine under the same kills, and count"),
    "mutants": ("loadtest.chaos.mutation", "put products with something broken in them to the chaos run"),
    "peers": ("loadtest.peers.main", "put the same work to this engine and to its peers, side by side"),
    "replay": ("loadtest.chaos.replay", "fold the stages over the log once more, and compare what they wrote"),
    "check": ("loadtest.check", "read all topics afresh and judge what came of a run"),
}


def main(arguments: list[str]) -> int:
    """Run one command. Gives its exit status; a known error is one line on stderr and status 2."""
    if not arguments or arguments[0] not in COMMANDS:
        width = max(map(len, COMMANDS))
        print("usage: python -m loadtest COMMAND …\n", file=sys.stderr)
        for name, (_, summary) in COMMANDS.items():
            print(f"  {name:{width}}  {summary}", file=sys.stderr)
        return 2
    module = importlib.import_module(COMMANDS[arguments[0]][0])
    try:
        return int(module.main(arguments[1:]))
    except HoldfastError as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(enter("loadtest", sys.argv[1:]) or main(sys.argv[1:]))
