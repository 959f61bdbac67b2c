"""`python -m pipeline faust …`: Faust's own commands on the app (agents, model, completion, …)."""

from __future__ import annotations

import os

from faust.cli.faust import cli

from agents import stages
from pipeline.engine.app import create_app
from pipeline.settings import read_settings


def main(arguments: list[str]) -> int:
    """Run a Faust command."""
    settings = read_settings(os.environ, needs=("kafka",))
    app = create_app(settings, stages(settings))
    app.finalize()
    try:
        cli(args=arguments, app=app, standalone_mode=False)
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0
