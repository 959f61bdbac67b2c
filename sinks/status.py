"""`python -m pipeline status ORDER`: where an order stands, from Redis, else from ClickHouse."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from redis.exceptions import RedisError

from pipeline.domain.orders import internal_order_id
from pipeline.errors import HoldfastError, SettingsError
from pipeline.settings import read_settings
from sinks.places import Place, fold, place_of, read
from sinks.redis import connect, generation_key, place_key
from sinks.store import open_store

if TYPE_CHECKING:
    from pipeline.settings import Settings

KEY_WORDS = 3
PART_FIELDS = {"part": "state", "carrier": "carrier", "waybill": "waybill_no", "warehouse": "warehouse"}
USAGE = "python -m pipeline status (ORDER_ID | CHANNEL SHOP PLATFORM_ORDER_ID) [--json]"


class Found(NamedTuple):
    """An order's place, and which server told it."""

    source: str
    place: Place


def main(arguments: list[str]) -> int:
    """Show an order. Gives 0, 1 when nobody knows it, 2 for a call that is wrong or when no server answers."""
    parser = argparse.ArgumentParser(prog="python -m pipeline status", usage=USAGE)
    parser.add_argument("order", nargs="+", help="the internal id, or channel, shop and the platform's order id")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if len(options.order) not in {1, KEY_WORDS}:
        parser.error("an order is one internal id, or channel, shop and the platform's order id")
    order_id = options.order[0] if len(options.order) == 1 else internal_order_id(*options.order)
    settings = read_settings(os.environ)
    if not settings.redis and not settings.clickhouse:
        message = "neither REDIS_URL nor CLICKHOUSE_URL is set, and no embedded service is up"
        raise SettingsError(message)
    found = find(settings, order_id)
    if found is None:
        print(f"order {order_id}: not known", file=sys.stderr)
        return 1
    shown = describe(order_id, found)
    print(json.dumps(shown, ensure_ascii=False) if options.json else as_text(shown))
    return 0


def find(settings: Settings, order_id: str) -> Found | None:
    """Look an order up. Raises HoldfastError when the server that was asked last does not answer."""
    if settings.redis:
        try:
            place = _from_redis(settings, order_id)
        except RedisError as error:
            if not settings.clickhouse:
                message = f"Redis does not answer: {error}"
                raise HoldfastError(message) from error
            print(f"Redis does not answer, ClickHouse is asked: {error}", file=sys.stderr)
        else:
            if place:
                return Found("redis", place)
    if not settings.clickhouse:
        return None
    place = _from_clickhouse(settings, order_id)
    return Found("clickhouse", place) if place else None


def _from_redis(settings: Settings, order_id: str) -> Place:
    with connect(settings.redis) as client:
        generation = client.get(generation_key(settings.deployment))
        if generation is None:
            return {}
        return place_of(client.lrange(place_key(settings.deployment, str(generation), order_id), 0, -1))


def _from_clickhouse(settings: Settings, order_id: str) -> Place:
    store = open_store(settings.clickhouse)
    try:
        place: Place = {}
        for line in store.story(order_id):
            facts = read(line.facts.encode())
            if facts is not None:
                fold(place, facts, line.partition, line.offset)
        return place
    finally:
        store.close()


def describe(order_id: str, found: Found) -> dict[str, object]:
    """Give a place as a tree: the order, its stages, its parts."""
    shown: dict[str, object] = {"order_id": order_id, "source": found.source}
    stages: dict[str, str] = {}
    parts: dict[str, dict[str, str]] = {}
    for name, value in sorted(found.place.items()):
        kind, colon, rest = name.partition(":")
        if not colon:
            shown[name] = int(value) if name in {"at", "offset", "partition"} else value
        elif kind == "stage":
            stages[rest] = value
        else:
            parts.setdefault(rest, {})[PART_FIELDS[kind]] = value
    return {**shown, "stages": stages, "parts": parts}


def as_text(shown: dict[str, object]) -> str:
    """Give the tree as lines."""
    lines = []
    for name, value in shown.items():
        if isinstance(value, dict):
            lines += [f"{name}:"] if value else []
            for key, inner in value.items():
                words = (
                    " ".join(f"{field}={text}" for field, text in inner.items()) if isinstance(inner, dict) else inner
                )
                lines.append(f"  {key}: {words}")
        elif name == "at" and isinstance(value, int):
            lines.append(f"at: {datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec='milliseconds')}")
        else:
            lines.append(f"{name}: {value}")
    return "\n".join(lines)
