"""`python -m loadtest.chaos.build COMMAND …`: the test build of `python -m pipeline COMMAND …`.

It arms the failpoint of HOLDFAST_FAILPOINT (`<name>:<hit number>[:kill|stop]`), applies the mutant of HOLDFAST_MUTANT,
and then runs the command as it is. Without either variable it is the product itself.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from loadtest.chaos import failpoints, mutants, wall_clock
from pipeline import cli
from pipeline.errors import HoldfastError

if TYPE_CHECKING:
    from collections.abc import Mapping


def prepare(environ: Mapping[str, str], process: str) -> None:
    """Change this process as the environment says. `process`: its command. Raises SettingsError, SetupError."""
    wall_clock.arm(environ)
    name = environ.get(mutants.VARIABLE, "")
    if name:
        mutants.apply(name, process)
    failpoint = failpoints.read_failpoint(environ)
    if failpoint is not None:
        failpoints.arm(failpoint)


def main(arguments: list[str]) -> int:
    """Prepare, and run the command. Gives its exit status."""
    try:
        prepare(os.environ, arguments[0] if arguments else "")
    except HoldfastError as error:
        print(f"test build: {error}", file=sys.stderr)
        return 2
    return cli.main(arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
