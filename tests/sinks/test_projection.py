"""Redis knows where every order stands, whatever happens to Redis; and `status` tells it, by Redis or without."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec
import pytest
from redis import Redis
from redis.exceptions import ResponseError

from pipeline.domain.events import OrderPaid
from pipeline.errors import HoldfastError, SettingsError
from pipeline.services import redis as redis_service
from pipeline.services.process import free_port, kill, wait_until
from pipeline.settings import VARIABLES
from sinks import status
from sinks.batches import PUT, Batch, packed
from sinks.places import PlaceFacts, entry, place_of
from sinks.redis import PLACE_ENTRIES_MAX, RedisSink, generation_key, place_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.sinks.conftest import OnAThread, Rig

pytestmark = pytest.mark.system
WITHIN_SECONDS = 40.0
PARTITIONS = 2


class Projected:
    """A Redis of the test's own, and what the projection has in it."""

    def __init__(self, rig: Rig, directory: Path) -> None:
        self.directory = directory
        self.running = redis_service.start(directory)
        self.rig = rig
        rig.settings = msgspec.structs.replace(rig.settings, redis=self.running.address)
        self.client = Redis.from_url(self.running.address, decode_responses=True)

    def write(self, count: int, name: str) -> None:
        """Write events of an order where the engine would: in one partition, so that their offsets have an order."""
        self.rig.write(count, name, partition=crc32(name.encode()) % PARTITIONS)

    def restart(self) -> None:
        """Kill the server, and start it on its data."""
        kill(self.running)
        self.running = redis_service.start(self.directory)

    def generation(self) -> str:
        return str(self.client.get(generation_key(self.rig.settings.deployment)) or "")

    def place(self, order_id: str) -> dict[str, str]:
        key = place_key(self.rig.settings.deployment, self.generation(), order_id)
        return place_of(map(str, self.client.lrange(key, 0, -1)))

    def offset(self, order_id: str) -> int:
        """Give the offset of the last event that is in, -1 for none."""
        return int(self.place(order_id).get("offset", "-1"))


@pytest.fixture
def projected(rig: Rig, tmp_path: Path) -> Iterator[Projected]:
    projected = Projected(rig, tmp_path)
    yield projected
    projected.client.close()
    kill(projected.running)


def test_an_emptied_redis_is_filled_again_from_the_log(projected: Projected, on_a_thread: OnAThread) -> None:
    projected.write(100, "emptied")
    with on_a_thread(RedisSink(projected.rig.settings).run) as raised:
        assert wait_until(lambda: projected.place("emptied") != {}, WITHIN_SECONDS), raised
        first, generation = projected.offset("emptied"), projected.generation()
        projected.client.flushall()
        projected.write(2, "later")
        assert wait_until(lambda: projected.offset("emptied") >= first, WITHIN_SECONDS), raised
        assert wait_until(lambda: projected.place("later") != {}, WITHIN_SECONDS), raised
    assert raised == []
    assert projected.generation() not in {"", generation}
    assert projected.place("emptied")["state"] == "paid"
    assert projected.client.ttl(place_key(projected.rig.settings.deployment, projected.generation(), "later")) > 0


def test_a_redis_that_is_away_is_waited_for(projected: Projected, on_a_thread: OnAThread) -> None:
    kill(projected.running)
    projected.write(10, "before")
    with on_a_thread(RedisSink(projected.rig.settings).run) as raised:
        projected.running = redis_service.start(projected.directory)
        assert wait_until(lambda: projected.place("before") != {}, WITHIN_SECONDS), raised
        for number in range(2):
            projected.restart()
            projected.write(3000, f"outage-{number}")
            assert wait_until(lambda name=f"outage-{number}": projected.place(name) != {}, WITHIN_SECONDS), raised  # type: ignore[misc]  # mypy knows no default of a lambda
    assert raised == []


def test_a_second_start_goes_on_where_the_first_stopped(projected: Projected, on_a_thread: OnAThread) -> None:
    projected.write(10, "first")
    with on_a_thread(RedisSink(projected.rig.settings).run):
        assert wait_until(lambda: projected.place("first") != {}, WITHIN_SECONDS)
    generation = projected.generation()
    projected.client.delete(place_key(projected.rig.settings.deployment, generation, "first"))
    projected.write(10, "second")
    with on_a_thread(RedisSink(projected.rig.settings).run):
        assert wait_until(lambda: projected.place("second") != {}, WITHIN_SECONDS)
    assert (projected.generation(), projected.place("first")) == (generation, {})


def _put(client: Redis, generation: str, before: int, last: int, *orders: str) -> list[str] | None:
    """Put a batch of partition 0 that tells an event of each order; gives the keys with many entries."""
    facts = [PlaceFacts(stage="dedup", event="OrderPaid", at=1, to_state=f"paid-{last}") for _ in orders]
    told = {order: entry(each, 0, last) for order, each in zip(orders, facts, strict=True)}
    batch = packed(Batch(told, {0: last}, len(told)), {0: before} if before >= 0 else {}, "place:")
    arguments = (generation, batch, 60, 3)
    found: list[str] | None = client.eval(PUT, 2, "generation", "offsets", *arguments)
    return found


def test_a_batch_is_put_only_right_behind_what_is_in(projected: Projected) -> None:
    client = projected.client
    client.set("generation", "g1")
    assert _put(client, "g1", -1, 5, "order") == []
    for before, last in ((-1, 5), (3, 9), (7, 9), (-1, 9)):
        assert _put(client, "g1", before, last, "order", "other") is None
    assert (client.hgetall("offsets"), client.llen("place:order"), client.exists("place:other")) == ({"0": "5"}, 1, 0)
    client.expire("place:order", 5)
    assert _put(client, "g1", 5, 9, "order") == []
    assert (client.hgetall("offsets"), client.llen("place:order")) == ({"0": "9"}, 2)
    assert place_of(map(str, client.lrange("place:order", 0, -1)))["state"] == "paid-9"
    assert client.ttl("place:order") > 5


def test_a_batch_for_another_generation_changes_nothing(projected: Projected) -> None:
    client = projected.client
    assert _put(client, "g1", -1, 5, "order") is None
    client.set("generation", "g2")
    assert _put(client, "g1", -1, 5, "order") is None
    assert client.keys() == ["generation"]


def test_a_batch_that_fails_half_way_is_undone(projected: Projected) -> None:
    client = projected.client
    client.set("generation", "g1")
    assert _put(client, "g1", -1, 1, "known") == []
    client.set("place:broken", "no list")
    for _ in range(2):
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            _put(client, "g1", 1, 5, "known", "new", "broken", "later")
    assert (client.llen("place:known"), client.exists("place:new", "place:later")) == (1, 0)
    assert client.hgetall("offsets") == {"0": "1"}


def test_orders_with_many_entries_are_named(projected: Projected) -> None:
    client = projected.client
    client.set("generation", "g1")
    named = [_put(client, "g1", last - 1, last, "order", f"other-{last}") for last in range(4)]
    assert named == [[], [], ["place:order"], ["place:order"]]


def test_a_long_place_is_folded_and_stays_the_same(
    projected: Projected, on_a_thread: OnAThread, encoded: Callable[..., bytes]
) -> None:
    settings = projected.rig.settings

    def write(number: int) -> None:
        event = OrderPaid(order_id="long", at=1, paid_minor=1)
        projected.rig.topic.write([encoded(event, "dedup", f"{settings.deployment}-0-{number}")], partition=0)

    with on_a_thread(RedisSink(settings).run) as raised:
        write(0)
        assert wait_until(lambda: projected.place("long") != {}, WITHIN_SECONDS), raised
        key = place_key(settings.deployment, projected.generation(), "long")
        before = projected.place("long")
        projected.client.rpush(key, *projected.client.lrange(key, 0, -1) * (PLACE_ENTRIES_MAX - 2))
        for number, entries in ((1, 1), (2, 2)):
            write(number)
            assert wait_until(lambda to=entries: projected.client.llen(key) == to, WITHIN_SECONDS), raised  # type: ignore[misc]  # mypy knows no default of a lambda
    assert raised == []
    place = projected.place("long")
    assert int(place["offset"]) > int(before["offset"])
    assert {**place, "offset": ""} == {**before, "offset": ""}
    assert projected.client.ttl(key) > 0


def test_a_restored_redis_is_read_on_from_where_it_stands(projected: Projected, on_a_thread: OnAThread) -> None:
    with on_a_thread(RedisSink(projected.rig.settings).run) as raised:
        projected.write(1, "early")
        assert wait_until(lambda: projected.place("early") != {}, WITHIN_SECONDS), raised
        generation = projected.generation()
        snapshot = {key: projected.client.dump(key) or b"" for key in projected.client.scan_iter()}
        projected.write(3, "between")
        assert wait_until(lambda: projected.place("between") != {}, WITHIN_SECONDS), raised
        last = projected.offset("between")
        projected.client.flushall()
        for key, kept in snapshot.items():
            projected.client.restore(key, 0, kept)
        projected.write(1, "late")
        assert wait_until(lambda: projected.place("late") != {}, WITHIN_SECONDS), raised
        assert wait_until(lambda: projected.offset("between") == last, WITHIN_SECONDS), raised
    assert raised == []
    assert projected.generation() == generation


def test_status_asks_redis_and_else_clickhouse(
    projected: Projected, on_a_thread: OnAThread, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = projected.rig
    rig.write(1, "asked")
    with on_a_thread(RedisSink(rig.settings).run), rig.sink():
        assert wait_until(lambda: projected.place("asked") != {}, WITHIN_SECONDS)
        rig.wait_for_all()
    for name in ("redis", "clickhouse", "deployment"):
        monkeypatch.setenv(VARIABLES[name], getattr(rig.settings, name))
    told = []
    for _ in range(2):
        assert status.main(["asked", "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out))
        kill(projected.running)
    assert [each.pop("source") for each in told] == ["redis", "clickhouse"]
    assert told[0] == told[1]
    assert (told[0]["state"], told[0]["event"], told[0]["stages"]) == ("paid", "OrderPaid", {"dedup": "paid"})
    assert status.main(["taobao", "s1", "nobody"]) == 1


def test_status_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("redis", "clickhouse"):
        monkeypatch.delenv(VARIABLES[name], raising=False)
    monkeypatch.setenv(VARIABLES["run_dir"], str(tmp_path))
    with pytest.raises(SettingsError, match="neither REDIS_URL nor CLICKHOUSE_URL"):
        status.main(["x"])
    monkeypatch.setenv(VARIABLES["redis"], f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(HoldfastError, match="Redis does not answer"):
        status.main(["x"])
    with pytest.raises(SystemExit, match="2"):
        status.main(["two", "words"])
