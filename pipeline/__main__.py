"""`python3 -m pipeline`: makes the environment on the first start, then runs the command in it.

This page keeps to what every Python can parse, so that an old one gets a sentence and not a traceback.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts this with an older Python is told so here
    sys.stderr.write("Holdfast needs Python 3.11 or newer, and this is Python %d.%d\n" % sys.version_info[:2])  # noqa: UP031
    sys.exit(3)

if __name__ == "__main__":
    from pipeline.bootstrap import run

    sys.exit(run(sys.argv[1:]))
