"""Tell the carrier sandbox to misbehave, over its own control address."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_SECONDS = 5.0


def control(sandbox_url: str, change: Mapping[str, float]) -> dict[str, int]:
    """Change the sandbox's settings (`pipeline.carriers.sandbox_behaviour`); gives its counters. Raises OSError."""
    request = urllib.request.Request(  # noqa: S310 - the load test's own sandbox
        f"{sandbox_url}/control", msgspec.json.encode(change), method="POST"
    )
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:  # noqa: S310
        counters: dict[str, int] = msgspec.json.decode(response.read())["counters"]
    return counters
