"""`python -m loadtest check`: read all topics of a deployment afresh and judge what came of its orders."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from loadtest.options import writable, write_json
from loadtest.oracle.checks import all_held, invariants
from loadtest.oracle.log import Broker
from loadtest.oracle.verdict import Sources, check_all, read_history
from loadtest.showing import console, show_findings, show_invariants
from pipeline.settings import read_settings


def main(arguments: list[str]) -> int:
    """Judge, and print the verdict. Gives 0 only if every check holds."""
    parser = argparse.ArgumentParser(prog="python -m loadtest check", description="judge what came of a run")
    parser.add_argument("--book", type=Path, help="the carrier's book (<run directory>/sandbox/book.jsonl)")
    parser.add_argument("--json", type=Path, help="write the findings to this file too")
    parser.add_argument("--chaos", action="store_true", help="want what a chaos run notes in its run directory, too")
    options = parser.parse_args(arguments)
    writable(json=options.json)
    settings = read_settings(os.environ, needs=("kafka", "clickhouse"))
    book = options.book or settings.run_dir / "sandbox" / "book.jsonl"
    broker = Broker(settings.kafka, settings.kafka_config)
    sources = Sources(broker, book, settings.clickhouse, settings.deployment, settings.redis, settings.run_dir)
    findings = check_all(read_history(sources._replace(chaos=options.chaos)))
    show_findings(console(), findings)
    show_invariants(console(), invariants(findings))
    if options.json:
        write_json(options.json, findings)
    return 0 if all_held(findings) else 1
