"""`python -m pipeline topics`: create the topics of a deployment and the group's first offsets; safe to run again."""

from __future__ import annotations

import os

from agents import stages
from pipeline.engine.provision import provision
from pipeline.settings import read_settings


def main(arguments: list[str]) -> int:
    """Provision, and print what was made."""
    del arguments
    settings = read_settings(os.environ, needs=("kafka",))
    for line in provision(settings, stages(settings)):
        print(line)
    return 0
