"""`python -m pipeline rules …`: the review rules. A first book to begin with is pipeline/rules/examples.json.

Removing, changing or switching off a stock gate, and a book without one, needs `--approver`, another person than
`--author`. A version is in effect as soon as a worker's dedup has read it: at once when it is not behind.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from pipeline.desk.clock import now_ms
from pipeline.desk.review import held_by_rules, look_again, read_queue
from pipeline.domain.orders import TIME_MS_MAX
from pipeline.domain.rules import matching as rules
from pipeline.domain.rules.book import BOOK_BYTES_MAX, Book, RuleError, read_book
from pipeline.rules import shadow, showing
from pipeline.rules.log import append, read_log
from pipeline.rules.versions import RulesError, Said, Version, activated, numbered, rolled_back, switched
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.table import Table

    from pipeline.settings import Settings

FILE_BYTES_MAX = 8 * BOOK_BYTES_MAX
"""A file may be indented: what counts is its canonical form."""
WIDTH_WITHOUT_TERMINAL = 200


def main(arguments: list[str]) -> int:
    """Run one of the commands. Gives 0; whatever is wrong is a HoldfastError."""
    asked = _parser().parse_args(arguments)
    if asked.command == "check":
        book = read_file(asked.file)
        enabled = len(rules.compile_book(book).rules)
        print(f"{asked.file}: {len(book.rules)} rules, {enabled} of them switched on; nothing is wrong with them")
        return 0
    settings = read_settings(os.environ, needs=("kafka",))
    if asked.command in {"show", "history", "diff"}:
        _look(read_log(settings), asked)
    elif asked.command == "try":
        _try(settings, asked)
    else:
        _change(settings, asked)
    return 0


def read_file(path: Path) -> Book:
    """Read a book, and check it whole. Raises RulesError, with the file's name."""
    try:
        text = path.read_bytes()
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise RulesError(message) from error
    if len(text) > FILE_BYTES_MAX:
        message = f"{path}: {len(text)} bytes; {FILE_BYTES_MAX} are allowed"
        raise RulesError(message)
    try:
        book = read_book(text)
        rules.compile_book(book)
    except RuleError as error:
        message = f"{path}: {error}"
        raise RulesError(message) from error
    return book


def _look(versions: Sequence[Version], asked: argparse.Namespace) -> None:
    if asked.command == "diff":
        for line in showing.difference(numbered(versions, asked.old), numbered(versions, asked.new)):
            print(line)
    elif asked.command == "history":
        _print(asked.json, versions, showing.history_table(versions))
    elif not versions and asked.version is None:
        print("no rules were ever activated" if not asked.json else "null")
    else:
        version = versions[-1] if asked.version is None else numbered(versions, asked.version)
        if not asked.json:
            print(showing.head(version))
        _print(asked.json, version, showing.book_table(version.book))


def _try(settings: Settings, asked: argparse.Namespace) -> None:
    book, versions = read_file(asked.file), read_log(settings)
    found = shadow.replay(versions[-1].book if versions else Book(), book, shadow.past_orders(settings, asked.last))
    if not asked.json:
        print(showing.replay_head(found))
    _print(asked.json, found, showing.replay_table(found))


def _change(settings: Settings, asked: argparse.Namespace) -> None:
    at = now_ms() if asked.at is None else asked.at
    said = Said(at, asked.author, asked.approver, asked.note)
    make: Callable[[Sequence[Version]], Version | None]
    if asked.command == "activate":
        make = partial(activated, book=read_file(asked.file), said=said)
    elif asked.command == "switch":
        make = partial(switched, rule_id=asked.rule, said=said, on=asked.state == "on")
    else:
        make = partial(rolled_back, number=asked.version, said=said)
    made = append(settings, make)
    print(showing.head(made) if made else "these rules are in effect already; nothing was changed")
    if asked.release:
        held = held_by_rules(read_queue(read_settings(os.environ, needs=("clickhouse",))))
        look_again(settings, held, asked.author)
        print(f"{len({one.order_id for one in held})} orders that rules hold are looked at again")


def _print(as_json: bool, found: object, table: Table) -> None:  # noqa: FBT001  an option's value
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL)
    console.print(table)


def _between(least: int, most: int, text: str) -> int:
    """Read a number of an option."""
    try:
        found = int(text)
    except ValueError:
        message = f"{text} is no whole number"
        raise argparse.ArgumentTypeError(message) from None
    if not least <= found <= most:
        message = f"from {least} to {most} (it is {found})"
        raise argparse.ArgumentTypeError(message)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline rules", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="show the rules in effect, or those of a version")
    show.add_argument("--version", type=int)
    history = commands.add_parser("history", help="list all versions: who made them, when and why")
    diff = commands.add_parser("diff", help="show how two versions differ")
    diff.add_argument("old", type=int)
    diff.add_argument("new", type=int)
    check = commands.add_parser("check", help="check a file; needs no server")
    tried = commands.add_parser("try", help="say what a file's rules would do with past orders; changes nothing")
    tried.add_argument(
        "--last",
        type=partial(_between, 1, shadow.LAST_MAX),
        default=shadow.LAST_DEFAULT,
        help="so many submissions of orders (%(default)s)",
    )
    activate = commands.add_parser("activate", help="put a file's rules into effect")
    switch = commands.add_parser("switch", help="switch a rule on or off")
    switch.add_argument("rule")
    switch.add_argument("state", choices=("on", "off"))
    rollback = commands.add_parser("rollback", help="put an older version's rules into effect, as a new version")
    rollback.add_argument("version", type=int)
    for parsed in (check, tried, activate):
        parsed.add_argument("file", type=Path)
    for parsed in (show, history, tried):
        parsed.add_argument("--json", action="store_true")
    for parsed in (activate, switch, rollback):
        _add_change(parsed)
    return parser


def _add_change(parsed: argparse.ArgumentParser) -> None:
    """Add the options of a command that changes rules."""
    parsed.add_argument("--author", required=True, help="who makes the change")
    parsed.add_argument("--approver", default="", help="who else stands behind it")
    parsed.add_argument(
        "--release",
        action="store_true",
        help="look again at all that rules hold: what none holds now goes on",
    )
    parsed.add_argument("--note", default="", help="why")
    parsed.add_argument(
        "--at",
        type=partial(_between, 0, TIME_MS_MAX),
        help="when, in ms UTC, where a replay has a time of its own (now)",
    )
