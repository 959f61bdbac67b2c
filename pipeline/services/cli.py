"""`python -m pipeline services up | down | status`: the embedded services that other commands of this checkout find."""

from __future__ import annotations

import argparse
import os
import sys

import msgspec

from pipeline.services.roster import bring_up, processes, statuses, take_down
from pipeline.settings import SERVICES, VARIABLES, read_settings


def main(arguments: list[str]) -> int:
    """Run one of the three. `status` gives 1 when a service does not answer; a failure is a HoldfastError."""
    asked = _parser().parse_args(arguments)
    run_dir = read_settings(os.environ).run_dir
    match asked.action:
        case "up":
            before = {name: running.pid for name, running in processes(run_dir).items()}
            names = [name for name in SERVICES if not os.environ.get(VARIABLES[name])]
            up = bring_up(run_dir, names)
            for name, running in up.items():
                known = "already up" if before.get(name) == running.pid else "up"
                print(f"{name}: {known} at {running.address} (pid {running.pid})", file=sys.stderr)
        case "down":
            stopped = take_down(run_dir, clean=asked.clean)
            removed = "; data removed" if asked.clean else ""
            print(f"stopped: {', '.join(stopped) or 'nothing was up'}{removed}", file=sys.stderr)
            return 0
    found = statuses(run_dir, os.environ)
    if asked.json:
        print(msgspec.json.encode(found).decode())
    elif asked.action == "status":
        for one in found:
            health = "healthy" if one.healthy else "not healthy" if one.address else "not up"
            print(f"{one.name:10}  {health:11}  {one.address:32}  {f'pid {one.pid}' if one.pid else ''}".rstrip())
    return 0 if all(one.healthy for one in found) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline services")
    actions = parser.add_subparsers(dest="action", required=True)
    up = actions.add_parser("up", help="start what the environment does not name; says so where it is up already")
    down = actions.add_parser("down", help="stop what `up` has started")
    down.add_argument("--clean", action="store_true", help="remove the services' data too")
    status = actions.add_parser("status", help="show every service; exit status 1 when one does not answer")
    for parsed in (up, status):
        parsed.add_argument("--json", action="store_true", help="print the services as JSON")
    return parser
