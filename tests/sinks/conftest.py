from __future__ import annotations

import itertools
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import clickhouse_connect
import msgspec
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.domain.events import OrderPaid
from pipeline.errors import HoldfastError
from pipeline.services import running
from pipeline.services.process import wait_until
from pipeline.settings import Settings
from pipeline.topics import ORDER_EVENTS
from sinks.clickhouse import ClickHouseSink
from sinks.log import LogRecord
from sinks.store import open_store, schema_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from clickhouse_connect.driver.client import Client

    from pipeline.domain.events import Event
    from sinks.store import Store

    OnAThread = Callable[[Callable[[threading.Event], None]], AbstractContextManager[list[HoldfastError]]]

PARTITIONS = 2
WITHIN_SECONDS = 40.0
NUMBERS = itertools.count()


def encode(event: Event, stage: str, cause: str, index: int = 0) -> bytes:
    """Put an event on the wire as the engine does."""
    head = f'{{"id":"{cause}-{index}","stage":"{stage}","cause":"{cause}",'
    return head.encode() + msgspec.json.encode(event)[1:]


class History:
    """Events of a few orders, in one partition, one a second of the broker's time."""

    def __init__(self) -> None:
        self.records: list[LogRecord] = []

    def tell(self, stage: str, *events: Event, at_ms: int = 1_700_000_000_000) -> None:
        for event in events:
            offset = len(self.records)
            value = encode(event, stage, f"{stage}.commands-0-{offset}")
            self.records.append(LogRecord(0, offset, at_ms + offset * 1000, value))


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def encoded() -> Callable[..., bytes]:
    return encode


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give a broker whose order.events is these tests' own: they write what no stage would."""
    with running(tmp_path_factory.mktemp("sinks"), ("kafka",)) as addresses:
        admin = AdminClient({"bootstrap.servers": addresses["kafka"]})
        topic = NewTopic(ORDER_EVENTS.name, PARTITIONS, 1, config=dict(ORDER_EVENTS.config()))
        for future in admin.create_topics([topic]).values():
            future.result(30)
        yield addresses["kafka"]


@pytest.fixture
def database(clickhouse: str) -> Iterator[str]:
    """Give the URL of a database of the test's own."""
    name = f"sink_{next(NUMBERS)}"
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        client.command(f"DROP DATABASE IF EXISTS {name}")
        client.command(f"CREATE DATABASE {name}")
        yield f"{clickhouse}/{name}"
        client.command(f"DROP DATABASE {name}")


class Topic:
    """order.events of the tests' broker: what is written is committed, and counted."""

    def __init__(self, address: str) -> None:
        self.records = 0
        self._producer = Producer({"bootstrap.servers": address, "linger.ms": 5, "transactional.id": "tests"})
        self._producer.init_transactions(30)

    def write(self, values: Sequence[bytes | None], *, abort: bool = False, partition: int | None = None) -> None:
        """Write values in one transaction, over all partitions or to the given one."""
        self._producer.begin_transaction()
        for number, value in enumerate(values):
            to = number % PARTITIONS if partition is None else partition
            self._producer.produce(ORDER_EVENTS.name, value, key=b"order", partition=to)
        if abort:
            self._producer.flush(30)  # else it may abort a transaction that the broker has not heard of, and fail
            self._producer.abort_transaction(30)
        else:
            self._producer.commit_transaction(30)
            self.records += len(values)


@pytest.fixture(scope="session")
def topic(broker: str) -> Topic:
    return Topic(broker)


@pytest.fixture
def settings(broker: str) -> Settings:
    """Give settings of a deployment of the test's own."""
    return Settings(kafka=broker, deployment=f"test-{next(NUMBERS)}", session_timeout_seconds=6)


class Rig:
    """A sink's surroundings: the broker's order.events, a database of the test's own, the sink on a thread."""

    def __init__(self, settings: Settings, topic: Topic, client: Client) -> None:
        self.settings = settings
        self.topic = topic
        self.client = client

    def move_to(self, url: str) -> None:
        """Take another database, and create the schema in it."""
        self.client.close()
        create_unmerged(url)
        self.settings = msgspec.structs.replace(self.settings, clickhouse=url)
        self.client = clickhouse_connect.get_client(dsn=url, autogenerate_session_id=False)

    def write(self, count: int, name: str, *, abort: bool = False, partition: int | None = None) -> None:
        """Write so many events of an order, over all partitions where none is given."""
        event = OrderPaid(order_id=name, at=1_490_000_000_000, paid_minor=1)
        values = [encode(event, "dedup", f"{self.settings.deployment}-{name}-0-{n}") for n in range(count)]
        self.topic.write(values, abort=abort, partition=partition)

    def counts(self) -> tuple[int, int]:
        """Count rows and distinct ids."""
        rows, ids = self.client.query("SELECT count(), uniqExact(id) FROM order_events").result_rows[0]
        return int(rows), int(ids)

    def holds(self, ids: int) -> bool:
        """Say whether so many events are visible; a server that is down shows none."""
        try:
            return self.counts()[1] >= ids
        except DatabaseError:
            return False

    def wait_for_all(self) -> None:
        """Wait until all that is committed is visible."""
        assert wait_until(lambda: self.holds(self.topic.records), WITHIN_SECONDS), (
            f"{self.counts()} of {self.topic.records}"
        )

    @contextmanager
    def sink(self, store: Store | None = None) -> Iterator[list[HoldfastError]]:
        """Run the ClickHouse sink; what ends it before it is told to stop is in the list."""
        sink = ClickHouseSink(self.settings, store or open_store(self.settings.clickhouse))
        with threaded(sink.run) as raised:
            yield raised


def create_unmerged(url: str) -> None:
    """Create the schema with a table that merges nothing: a row that is stored twice must be seen twice."""
    store = open_store(url)
    store.apply_schema(schema_statements())
    store.close()
    with clickhouse_connect.get_client(dsn=url) as client:
        client.command("ALTER TABLE order_events MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1")


@pytest.fixture
def rig(settings: Settings, database: str, topic: Topic) -> Iterator[Rig]:
    with clickhouse_connect.get_client(dsn=database) as client:
        rig = Rig(settings, topic, client)
        rig.move_to(database)
        yield rig
        rig.client.close()


@contextmanager
def threaded(run: Callable[[threading.Event], None]) -> Iterator[list[HoldfastError]]:
    """Run a sink on a thread, and stop it at the end; what it raises is in the list."""
    stop, raised = threading.Event(), list[HoldfastError]()

    def guarded() -> None:
        try:
            run(stop)
        except HoldfastError as error:
            raised.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    try:
        yield raised
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive(), "the sink did not stop"


@pytest.fixture
def on_a_thread() -> OnAThread:
    """Give `threaded`."""
    return threaded
