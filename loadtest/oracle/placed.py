"""Read the orders' places in Redis, of the generation that counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import RedisError

from pipeline.errors import TransientError

if TYPE_CHECKING:
    from loadtest.oracle.privacy import Lookout

KEYS_AT_ONCE = 1000
ANSWER_SECONDS_MAX = 30.0


def read_places(url: str, deployment: str, lookout: Lookout) -> dict[str, dict[str, str]]:
    """Read every place, by order. Raises TransientError when Redis does not answer, or nobody began a generation."""
    client = Redis.from_url(url, decode_responses=True, socket_timeout=ANSWER_SECONDS_MAX)
    try:
        generation = client.get(f"{deployment}:generation")
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
                pipeline.hgetall(key)
            for key, place in zip(some, pipeline.execute(), strict=True):
                lookout.look(f"Redis {key}", " ".join(place.values()).encode())
                places[key.removeprefix(prefix)] = place
    except RedisError as error:
        message = f"Redis at {url}: {error}"
        raise TransientError(message) from error
    finally:
        client.close()
    return places
