"""Redis knows where every order stands, whatever happens to Redis; and `status` tells it, by Redis or without."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec
import pytest
from redis import Redis
from redis.exceptions import ResponseError

from pipeline.errors import HoldfastError, SettingsError
from pipeline.services import redis as redis_service
from pipeline.services.process import free_port, kill, wait_until
from pipeline.settings import VARIABLES
from sinks import redis as projection
from sinks import status
from sinks.redis import Batch, RedisSink, generation_key, packed, place_key

if TYPE_CHECKING:
    from collections.abc import Iterator
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
        return {str(name): str(value) for name, value in self.client.hgetall(key).items()}

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


def _put(client: Redis, generation: str, offset: int, state: str) -> int:
    batch = Batch({"order": {"offset": str(offset), "state": state}}, {0: offset}, 1)
    keys = ("generation", "offsets")
    return int(client.eval(projection.PUT, len(keys), *keys, generation, "place:", 60, packed(batch)))


def test_an_older_event_takes_nothing_back(projected: Projected) -> None:
    client = projected.client
    client.set("generation", "g1")
    for offset, state, highest in ((5, "paid", 5), (3, "await_pay", 5), (5, "again", 5), (9, "locked", 9)):
        assert _put(client, "g1", offset, state) == 1
        assert client.hget("place:order", "state") == ("locked" if offset == 9 else "paid")
        assert client.hgetall("offsets") == {"0": str(highest)}
    assert client.ttl("place:order") > 0


def test_a_batch_for_another_generation_changes_nothing(projected: Projected) -> None:
    client = projected.client
    assert _put(client, "g1", 5, "paid") == 0
    client.set("generation", "g2")
    assert _put(client, "g1", 5, "paid") == 0
    assert client.keys() == ["generation"]


def test_a_batch_that_fails_half_way_moves_no_offset(projected: Projected) -> None:
    client = projected.client
    client.set("generation", "g1")
    client.set("place:order", "no hash")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        _put(client, "g1", 5, "paid")
    assert client.hgetall("offsets") == {}


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
