from __future__ import annotations

import itertools
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import clickhouse_connect
import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.errors import HoldfastError
from pipeline.services import running
from pipeline.settings import Settings
from pipeline.topics import ORDER_EVENTS
from sinks.rows import row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.domain.events import Event
    from sinks.rows import Row

PARTITIONS = 2
NUMBERS = itertools.count()


def encode(event: Event, stage: str, cause: str, index: int = 0) -> bytes:
    """Put an event on the wire as the engine does."""
    head = f'{{"id":"{cause}-{index}","stage":"{stage}","cause":"{cause}",'
    return head.encode() + msgspec.json.encode(event)[1:]


class History:
    """Events of a few orders, in one partition, one a second of the broker's time."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def tell(self, stage: str, *events: Event, at_ms: int = 1_700_000_000_000) -> None:
        for event in events:
            offset = len(self.rows)
            value = encode(event, stage, f"{stage}.commands-0-{offset}")
            self.rows.append(row(ORDER_EVENTS.name, 0, offset, at_ms + offset * 1000, value))


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

    def write(self, values: Sequence[bytes | None], *, abort: bool = False) -> None:
        """Write values over the partitions, in one transaction."""
        self._producer.begin_transaction()
        for number, value in enumerate(values):
            self._producer.produce(ORDER_EVENTS.name, value, key=b"order", partition=number % PARTITIONS)
        if abort:
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
def on_a_thread() -> Any:  # noqa: ANN401 - a context manager's factory
    return threaded
