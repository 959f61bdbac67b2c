"""Read the orders' places in Redis, of the generation that counts.

An order has a list of texts of JSON lines. A line is an array, what an event adds, whose places FIELDS names; or an
object, a place into which earlier lines were folded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from redis import Redis
from redis.exceptions import RedisError

from loadtest.oracle.telling import tell
from pipeline.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loadtest.oracle.privacy import Lookout

KEYS_AT_ONCE = 1000
ANSWER_SECONDS_MAX = 30.0
FIELDS = (
    *("stage", "event", "at", "to", "channel", "shop_id", "platform_order_id", "pool", "currency"),
    *("fulfilment_id", "carrier", "waybill_no", "warehouse", "partition", "offset"),
)


def read_places(url: str, deployment: str, lookout: Lookout) -> dict[str, dict[str, str]]:
    """Read every place, by order. Raises TransientError when Redis does not answer, or nobody began a generation."""
    client = Redis.from_url(url, decode_responses=True, socket_timeout=ANSWER_SECONDS_MAX)
    try:
        generation = client.get(f"{deployment}:places")
        if generation is None:
            message = f"Redis has no generation of {deployment}: nothing was projected"
            raise TransientError(message)
        prefix = f"{deployment}:{generation!s}:order:"
        keys = [str(key) for key in client.scan_iter(f"{prefix}*", count=KEYS_AT_ONCE)]
        places = {}
        for first in range(0, len(keys), KEYS_AT_ONCE):
            some = keys[first : first + KEYS_AT_ONCE]
            pipeline = client.pipeline(transaction=False)
            for key in some:
                pipeline.lrange(key, 0, -1)
            for key, texts in zip(some, pipeline.execute(), strict=True):
                lookout.look(f"Redis {key}", "\n".join(texts).encode())
                places[key.removeprefix(prefix)] = place_of(texts)
    except RedisError as error:
        message = f"Redis at {url}: {error}"
        raise TransientError(message) from error
    finally:
        client.close()
    return places


def place_of(texts: Iterable[str]) -> dict[str, str]:
    """Tell an order's place from its texts."""
    place: dict[str, str] = {}
    for line in "\n".join(texts).split("\n"):
        told = orjson.loads(line)
        if isinstance(told, dict):
            place |= told
        else:
            event = dict(zip(FIELDS, told, strict=True))
            tell(place, event, event["partition"], event["offset"])
    return place
