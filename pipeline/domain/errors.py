"""The one error of the rules. A bad record never reaches them, so whatever they raise is a mistake of ours."""

from __future__ import annotations


class InvariantError(Exception):
    """The state broke one of its invariants: our bug. The worker stops before anything of it is committed."""
