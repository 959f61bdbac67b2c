"""Between two runs of a series its servers stay up, and hold nothing any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis
from confluent_kafka import Producer

from loadtest.chaos.series import empty, provide_topics
from loadtest.deployment import site
from loadtest.oracle.log import read_topic
from loadtest.oracle.stored import query
from pipeline.services import processes
from pipeline.settings import SERVICES, VARIABLES
from pipeline.topics import ORDERS_RAW
from sinks.store import open_store, schema_statements

if TYPE_CHECKING:
    from loadtest.deployment import Site

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
TABLES = "SELECT name FROM system.tables WHERE database = currentDatabase()"


@pytest.fixture(autouse=True)
def _own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SERVICES:
        monkeypatch.delenv(VARIABLES[name], raising=False)


def fill(place: Site) -> None:
    """Leave something everywhere."""
    producer = Producer({"bootstrap.servers": place.settings.kafka})
    producer.produce(ORDERS_RAW.name, b"{}")
    assert producer.flush(20) == 0
    store = open_store(place.settings.clickhouse)
    store.apply_schema(schema_statements())
    store.close()
    with redis.Redis.from_url(place.settings.redis) as client:
        client.set("key", "value")
    (place.run_dir / "acks.msgpack").write_bytes(b"")
    (place.run_dir / "logs").mkdir()


def test_servers_are_emptied_and_stay_up() -> None:
    with site({}, keep=False) as place:
        provide_topics(place)
        fill(place)
        assert len(query(place.settings.clickhouse, TABLES)) > 1
        before = processes(place.run_dir)
        empty(place)
        assert processes(place.run_dir) == before
        with redis.Redis.from_url(place.settings.redis) as client:
            assert client.dbsize() == 0
        assert query(place.settings.clickhouse, TABLES) == []
        assert not (place.run_dir / "acks.msgpack").exists()
        assert not (place.run_dir / "logs").exists()
        provide_topics(place)
        assert list(read_topic(place.sources.broker, ORDERS_RAW.name)) == []
