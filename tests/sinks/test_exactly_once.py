"""Each record of order.events is one row in ClickHouse, whatever is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition

from pipeline.errors import RefusedStartError
from pipeline.services import clickhouse as clickhouse_service
from pipeline.services.process import kill, wait_until
from pipeline.settings import ROOT
from pipeline.topics import ORDER_EVENTS
from sinks import clickhouse as sink_module
from sinks.blocks import make_block
from sinks.log import LogRecord
from sinks.store import StoreDownError, open_store
from sinks.store_http import HttpStore

if TYPE_CHECKING:
    from pathlib import Path

    from sinks.blocks import Block
    from tests.sinks.conftest import Rig

pytestmark = pytest.mark.system
PROGRAM = (sys.executable, "-c", "import sys; from sinks.main import main; sys.exit(main(sys.argv[1:]))")


def _program(rig: Rig) -> subprocess.Popen[bytes]:
    environ = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": rig.settings.kafka,
        "CLICKHOUSE_URL": rig.settings.clickhouse,
        "HOLDFAST_DEPLOYMENT": rig.settings.deployment,
        "HOLDFAST_SESSION_TIMEOUT_SECONDS": "1.5",
        "HOLDFAST_LOG_LEVEL": "WARNING",
    }
    return subprocess.Popen([*PROGRAM, "--only", "clickhouse"], cwd=ROOT, env=environ)


def test_every_committed_record_is_one_row(rig: Rig) -> None:
    rig.write(1000, "first")
    rig.write(500, "aborted", abort=True)
    with rig.sink() as raised:
        rig.wait_for_all()
        rig.write(10, "second")
        rig.wait_for_all()
    assert raised == []
    assert rig.counts() == (rig.topic.records, rig.topic.records)
    assert rig.client.command("SELECT count() FROM order_events WHERE order_id = 'aborted'") == 0


def test_a_record_that_is_no_event_is_a_row_too(rig: Rig) -> None:
    rig.topic.write([b"no event", None, b"\xff{"])
    with rig.sink() as raised:
        rig.wait_for_all()
    assert (rig.counts(), raised) == ((rig.topic.records, rig.topic.records), [])
    facts = "SELECT facts FROM order_events WHERE event = 'Unreadable' AND facts = 'no event'"
    assert rig.client.query(facts).result_rows == [("no event",)]


def test_sinks_that_are_killed_leave_neither_a_gap_nor_a_repeat(rig: Rig) -> None:
    for generation in range(3):
        rig.write(30_000, f"killed-{generation}")
        before = rig.counts()[1]
        program = _program(rig)
        assert wait_until(lambda before=before: rig.counts()[1] > before, 40)  # type: ignore[misc]  # mypy knows no default of a lambda
        program.kill()
        program.wait()
    program = _program(rig)
    rig.wait_for_all()
    program.send_signal(signal.SIGTERM)
    assert program.wait(20) == 0
    assert rig.counts() == (rig.topic.records, rig.topic.records)


def test_a_killed_clickhouse_costs_time_and_nothing_else(rig: Rig, tmp_path: Path) -> None:
    running = clickhouse_service.start(tmp_path)
    try:
        rig.move_to(running.address)
        with rig.sink() as raised:
            for generation in range(3):
                rig.write(30_000, f"outage-{generation}")
                assert wait_until(lambda at_least=generation * 30_000: rig.holds(at_least + 1), 40)  # type: ignore[misc]  # as above
                kill(running)
                running = clickhouse_service.start(tmp_path)
            rig.wait_for_all()
        assert (rig.counts(), raised) == ((rig.topic.records, rig.topic.records), [])
    finally:
        kill(running)


class _Unlucky(HttpStore):
    """A store whose every other insert is made, and whose answer is lost; or is lost before it is made."""

    def __init__(self, url: str, *, made: bool) -> None:
        super().__init__(url)
        self.made = made
        self.tries = 0

    def insert(self, block: Block, statement_id: str) -> None:
        self.tries += 1
        if self.tries % 2 == 0 or self.made:
            super().insert(block, statement_id)
        if self.tries % 2:
            message = "the connection was reset"
            raise StoreDownError(message)


@pytest.mark.parametrize("made", [True, False])
def test_an_insert_with_an_unknown_result_is_looked_for_before_it_is_sent_again(rig: Rig, *, made: bool) -> None:
    rig.write(100, f"unlucky-{made}")
    # Without the server's own deduplication, so that the sink's is what is seen.
    rig.client.command("ALTER TABLE order_events MODIFY SETTING non_replicated_deduplication_window = 0")
    store = _Unlucky(rig.settings.clickhouse, made=made)
    with rig.sink(store) as raised:
        rig.wait_for_all()
    assert (rig.counts(), raised) == ((rig.topic.records, rig.topic.records), [])
    assert store.tries > 1


class _Forgetful(HttpStore):
    """A store that loses the rows of its first insert, and not their id: as a server killed between the two does."""

    def __init__(self, url: str, rig: Rig) -> None:
        super().__init__(url)
        self.rig = rig
        self.statements: list[str] = []

    def insert(self, block: Block, statement_id: str) -> None:
        self.statements.append(statement_id)
        super().insert(block, statement_id)
        if len(self.statements) == 1:
            self.rig.client.command("ALTER TABLE order_events DELETE WHERE true SETTINGS mutations_sync = 1")
            message = "the connection was reset"
            raise StoreDownError(message)


def test_a_block_whose_id_outlived_its_rows_is_stored_under_another_id(rig: Rig) -> None:
    rig.write(100, "forgotten")
    store = _Forgetful(rig.settings.clickhouse, rig)
    with rig.sink(store) as raised:
        rig.wait_for_all()
    assert (rig.counts(), raised) == ((rig.topic.records, rig.topic.records), [])
    first, again, renewed = store.statements[:3]
    assert again == first
    assert renewed == f"{first}:2"


def test_rows_that_a_zombie_stores_once_more_count_once(rig: Rig) -> None:
    rig.write(100, "zombie")
    with rig.sink():
        rig.wait_for_all()
    columns = "partition, offset, toUnixTimestamp64Milli(appended_at), facts"
    stored = rig.client.query(f"SELECT {columns} FROM order_events WHERE partition = 0 ORDER BY offset").result_rows  # noqa: S608
    again = [LogRecord(cells[0], cells[1], cells[2], cells[3].encode()) for cells in stored]
    store = open_store(rig.settings.clickhouse)
    store.insert(make_block(again), "zombie")
    store.close()
    rows, ids = rig.counts()
    assert (rows, ids) == (rig.topic.records + len(again), rig.topic.records)
    assert rig.client.command("SELECT count() FROM order_events FINAL") == rig.topic.records
    assert rig.client.query("SELECT count(), uniqExact(id) FROM story(order = 'zombie')").result_rows == [(100, 100)]


def test_two_sinks_share_the_partitions_and_one_takes_over(rig: Rig) -> None:
    rig.settings = msgspec.structs.replace(rig.settings, session_timeout_seconds=2)
    with rig.sink() as raised:
        rig.write(1000, "alone")
        rig.wait_for_all()
        program = _program(rig)
        rig.write(20_000, "shared")
        rig.wait_for_all()
        program.kill()
        program.wait()
        rig.write(1000, "taken-over")
        rig.wait_for_all()
    assert raised == []
    assert rig.client.command("SELECT count() FROM order_events FINAL") == rig.topic.records


def test_a_store_of_another_topic_is_refused(rig: Rig) -> None:
    rig.write(2, "ours")
    store = open_store(rig.settings.clickhouse)
    store.insert(make_block([LogRecord(0, 0, 1_700_000_000_000, b"x")]), "foreign")
    with rig.sink() as raised:
        assert wait_until(lambda: bool(raised), 40)
    assert isinstance(raised[0], RefusedStartError)
    assert "order.events-0: the record at offset 0 was appended at" in str(raised[0])
    store.insert(make_block([LogRecord(0, 10**9, 0, b"x")]), "ahead")
    store.close()
    with rig.sink() as raised:
        assert wait_until(lambda: bool(raised), 40)
    assert "the store has offset 1000000000, but the log ends at" in str(raised[0])


def test_kafka_s_committed_offsets_are_a_hint_that_is_left_behind(rig: Rig) -> None:
    rig.write(10, "hint")
    with rig.sink():
        rig.wait_for_all()
    consumer = Consumer({"bootstrap.servers": rig.settings.kafka, "group.id": f"{rig.settings.deployment}.sink"})
    offsets = consumer.committed([TopicPartition(ORDER_EVENTS.name, partition) for partition in (0, 1)], timeout=10)
    consumer.close()
    highest = rig.client.query("SELECT partition, max(offset) FROM order_events GROUP BY partition ORDER BY partition")
    assert [(each.partition, each.offset - 1) for each in offsets] == highest.result_rows


def test_a_sink_that_falls_behind_holds_a_bounded_number_of_rows(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink_module, "ROWS_HELD_MAX", 2000)
    monkeypatch.setattr(sink_module, "HOLD_SECONDS", 0.1)
    rig.write(20_000, "behind")
    with rig.sink(_Unlucky(rig.settings.clickhouse, made=False)) as raised:
        rig.wait_for_all()
    assert (rig.counts(), raised) == ((rig.topic.records, rig.topic.records), [])
