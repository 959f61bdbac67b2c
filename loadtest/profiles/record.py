"""`python -m loadtest record FILE`: write what is in a topic of raw orders to a file, to be sent again by a profile."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from loadtest.oracle.log import Broker, read_topic
from loadtest.profiles.recording import write_recording
from pipeline.errors import SettingsError
from pipeline.settings import read_settings
from pipeline.topics import ORDERS_RAW


def main(arguments: list[str]) -> int:
    """Record up to where the topic ends now. Gives 1 where there was nothing to record. Raises TransientError."""
    parser = argparse.ArgumentParser(prog="python -m loadtest record", description="record raw orders in a file")
    parser.add_argument("file", type=Path, metavar="FILE", help="JSON lines; it has what the shops sent, addresses too")
    parser.add_argument("--topic", default=ORDERS_RAW.name, help="the topic to read (%(default)s)")
    options = parser.parse_args(arguments)
    if not options.file.absolute().parent.is_dir() or options.file.is_dir():
        message = f"FILE: {options.file} is a folder, or is in no folder that there is"
        raise SettingsError(message)
    settings = read_settings(os.environ, needs=("kafka",))
    records = list(read_topic(Broker(settings.kafka, settings.kafka_config), options.topic))
    with options.file.open("wb") as file:
        written = write_recording(records, file)
    print(f"{written:,} records of {options.topic} are in {options.file}")
    return 0 if written else 1
