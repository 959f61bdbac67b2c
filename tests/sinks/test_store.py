"""The store's contract, over the embedded server's HTTP interface and a real server's native protocol."""

from __future__ import annotations

import gc
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import clickhouse_connect
import pytest
from clickhouse_driver import Client as NativeClient
from clickhouse_driver.errors import NetworkError, ServerException

from pipeline.domain.events import OrderPaid
from pipeline.services import clickhouse as clickhouse_service
from pipeline.services.process import LOOPBACK, Server, free_port, kill, launch
from pipeline.settings import ROOT
from sinks import store_native
from sinks.blocks import BLOCK_ROWS_MAX, make_block
from sinks.log import LogRecord
from sinks.store import Stored, StoreDownError, StoreRefusedError, open_store, schema_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sinks.blocks import Block
    from sinks.store import Store

pytestmark = pytest.mark.system
BEGIN_MS = 1_700_000_000_123
OLD = {
    r"--[^\n]*\n": "",
    "`topic` LowCardinality": "`is_event` UInt8, `topic` LowCardinality",
    r"(`topic` LowCardinality\(String\))": r"\1 DEFAULT 'order.events'",
    r"`(id|order_id)` String": r"`\1` String DEFAULT visitParamExtractString(facts, '\1')",
    r"(`event` \S+)": r"\1 DEFAULT if(is_event, visitParamExtractString(facts, 'event'), 'Unreadable')",
    "(`paid_minor` Int64)": r"\1 DEFAULT visitParamExtractInt(facts, 'paid_minor')",
    r",\s*PROJECTION highest_offsets\s*\(.*?\n    \)": "",
    r" CODEC\((?:[^()]|\([^()]*\))*\)": "",
    r" COMMENT '(?:[^']|'')*'": "",
    r"LowCardinality\(String\)": "String",
    r"DateTime64\(3, 'UTC'\)": "Int64",
    r"\bBool\b": "UInt8",
    r"toYYYYMM\(appended_at\)": "toYYYYMM(toDateTime(intDiv(appended_at, 1000)))",
    r"\nSETTINGS.*": "",
}
"""What Debian's ClickHouse 18.16 does not know, and what does in its place."""
SERVER = """<yandex>
<logger><level>warning</level><console>1</console></logger>
<listen_host>127.0.0.1</listen_host><tcp_port>{port}</tcp_port>
<path>{directory}/data/</path><tmp_path>{directory}/tmp/</tmp_path>
<mark_cache_size>67108864</mark_cache_size>
<users_config>{directory}/users.xml</users_config>
<default_profile>default</default_profile><default_database>default</default_database>
</yandex>"""
USERS = """<yandex>
<profiles><default/></profiles><quotas><default/></quotas>
<users><default><password></password><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota></default></users>
</yandex>"""


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a real server's native protocol: Debian's, where it is installed."""
    if shutil.which("clickhouse-server") is None:
        pytest.skip("no clickhouse-server on this machine (Debian: apt-get install clickhouse-server)")
    directory, port = tmp_path_factory.mktemp("native"), free_port()
    (directory / "config.xml").write_text(SERVER.format(directory=directory, port=port))
    (directory / "users.xml").write_text(USERS)
    command = ("clickhouse-server", f"--config-file={directory}/config.xml")
    address = f"clickhouse://{LOOPBACK}:{port}/default"
    server = Server(name="clickhouse-server", command=command, address=address, directory=directory)
    running = launch(server, lambda: _answers(port))
    yield address
    kill(running)


def _answers(port: int) -> bool:
    client = NativeClient(LOOPBACK, port=port, connect_timeout=1)
    try:
        return bool(client.execute("SELECT 1") == [(1,)])
    except (NetworkError, ServerException, EOFError):
        return False
    finally:
        client.disconnect()


@pytest.fixture(params=["http", "native"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    statements = schema_statements()
    if request.param == "native":
        opened = open_store(request.getfixturevalue("native"))
        monkeypatch.setattr(store_native, "HIGHEST", "max(offset), argMax(appended_at, offset)")
        opened.query("DROP TABLE IF EXISTS order_events")
        statement = statements[0]
        for pattern, old in OLD.items():
            statement = re.sub(pattern, old, statement, flags=re.DOTALL)
        statements = (statement,)
    else:
        address = request.getfixturevalue("clickhouse")
        with clickhouse_connect.get_client(dsn=address) as client:
            client.command("DROP DATABASE IF EXISTS contract")
            client.command("CREATE DATABASE contract")
        opened = open_store(f"{address}/contract")
    for _ in range(2):
        opened.apply_schema(statements)
    yield opened
    opened.close()


@pytest.fixture
def block(encoded: Callable[..., bytes]) -> Callable[[int, int, int], Block]:
    def make(partition: int, first: int, last: int) -> Block:
        records = []
        for offset in range(first, last + 1):
            event = OrderPaid(order_id=f"o{offset % 3}", at=1, paid_minor=offset)
            value = b"\xff\x00?" if offset == 1 else encoded(event, "dedup", f"order.commands-{partition}-{offset}")
            records.append(LogRecord(partition, offset, BEGIN_MS + offset, value))
        return make_block(records)

    return make


def test_the_highest_offset_is_that_of_the_last_stored_record(store: Store, block: Callable[..., Block]) -> None:
    assert store.highest("order.events") == {}
    store.insert(block(0, 0, 9), "a")
    store.insert(block(3, 5, 6), "b")
    store.insert(block(0, 10, 19), "c")
    assert store.highest("order.events") == {0: Stored(19, BEGIN_MS + 19), 3: Stored(6, BEGIN_MS + 6)}
    assert store.highest("another") == {}


def test_a_block_is_one_part_with_all_its_values(store: Store, block: Callable[..., Block]) -> None:
    sent = block(2, 0, BLOCK_ROWS_MAX - 1)
    store.insert(sent, "a")
    parts = store.query("SELECT rows FROM system.parts WHERE table = 'order_events' AND active")
    assert parts == [(BLOCK_ROWS_MAX,)]
    sums = "count(), uniqExact(id), sum(paid_minor), countIf(event = 'Unreadable'), sum(length(facts))"
    paid = sum(range(BLOCK_ROWS_MAX)) - 1
    assert store.query(f"SELECT {sums} FROM order_events") == [  # noqa: S608
        (BLOCK_ROWS_MAX, BLOCK_ROWS_MAX, paid, 1, sum(len(record.value or b"") for record in sent.records))
    ]


def test_nothing_of_a_stored_block_stays_in_memory(store: Store, block: Callable[..., Block]) -> None:
    stored = block(0, 0, 99)
    marker = stored.records[0].value
    gc.disable()
    try:
        store.insert(stored, "a")
        del stored
        assert [kept for kept in gc.get_referrers(marker) if isinstance(kept, (tuple, list))] == []
    finally:
        gc.enable()


def test_an_order_s_story_is_told_in_order_and_each_event_once(store: Store, block: Callable[..., Block]) -> None:
    store.insert(block(0, 6, 8), "b")
    store.insert(block(0, 0, 6), "a")
    lines = store.story("o0")
    assert [line.offset for line in lines] == [0, 3, 6]
    assert '"paid_minor":3' in lines[1].facts


def test_settling_waits_for_no_statement_of_others(store: Store, block: Callable[..., Block]) -> None:
    store.insert(block(0, 0, 1), "holdfast-sink:a:1")
    store.settle("holdfast-sink:a:")
    assert store.highest("order.events")[0].offset == 1


def test_a_statement_that_cannot_be_is_refused_for_good(store: Store) -> None:
    with pytest.raises(StoreRefusedError, match="nothing"):
        store.query("SELECT * FROM nothing")


@pytest.mark.parametrize("scheme", ["http", "clickhouse"])
def test_a_server_that_is_not_there_is_down(scheme: str) -> None:
    store = open_store(f"{scheme}://{LOOPBACK}:{free_port()}/default")
    with pytest.raises(StoreDownError):
        store.highest("order.events")


def test_a_server_that_comes_back_is_found_again(tmp_path: Path, block: Callable[..., Block]) -> None:
    running = clickhouse_service.start(tmp_path)
    store = open_store(running.address)
    try:
        store.apply_schema(schema_statements())
        store.insert(block(0, 0, 9), "a")
        kill(running)
        with pytest.raises(StoreDownError):
            store.insert(block(0, 10, 19), "b")
        running = clickhouse_service.start(tmp_path)
        assert store.highest("order.events")[0].offset == 9
    finally:
        store.close()
        kill(running)


def test_the_highest_offset_is_read_from_the_projection(database: str, block: Callable[..., Block]) -> None:
    store = open_store(database)
    store.apply_schema(schema_statements())
    store.insert(block(0, 0, 9), "a")
    plan = store.query(
        "EXPLAIN SELECT partition, max(offset), toInt64(toUnixTimestamp64Milli(argMax(appended_at, offset))) "
        "FROM order_events WHERE topic = 'order.events' GROUP BY topic, partition"
    )
    assert "ReadFromMergeTree (highest_offsets)" in str(plan)
    store.close()


def test_a_block_sent_again_under_its_id_counts_once(database: str, block: Callable[..., Block]) -> None:
    store = open_store(database)
    store.apply_schema(schema_statements())
    for statement_id in ("a", "a", "b"):
        store.insert(block(0, 0, 9), statement_id)
    assert store.query("SELECT count() FROM order_events") == [(20,)]
    assert store.query("SELECT count() FROM order_events FINAL") == [(10,)]
    store.close()


def test_a_table_of_rows_that_came_column_by_column_learns_to_read(database: str, block: Callable[..., Block]) -> None:
    store = open_store(database)
    store.apply_schema(schema_statements()[:1])
    with clickhouse_connect.get_client(dsn=database) as client:
        names = ("topic", "partition", "offset", "id", "event", "facts")
        client.insert("order_events", [("order.events", 0, 0, "known", "E", "{}")], column_names=names)
    store.apply_schema(schema_statements())
    store.insert(block(0, 2, 2), "a")
    question = "SELECT offset, id, event, paid_minor FROM order_events ORDER BY offset"
    assert store.query(question) == [(0, "known", "E", 0), (2, "order.commands-0-2-0", "OrderPaid", 2)]
    assert store.highest("order.events") == {0: Stored(2, BEGIN_MS + 2)}
    store.close()


def test_an_engine_in_the_process_is_a_store(tmp_path: Path) -> None:
    script = (
        "from sinks.store import open_store, schema_statements\n"
        "from sinks.blocks import make_block\nfrom sinks.log import LogRecord\n"
        f"store = open_store('chdb://{tmp_path}/data')\nstore.apply_schema(schema_statements())\n"
        "store.insert(make_block([LogRecord(0, 4, 7, b'?')]), 'a')\nstore.settle('a')\n"
        "print(store.highest('order.events'))\nstore.close()\n"
    )
    # In a process of its own: a process can open one directory, once.
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{0: Stored(offset=4, appended_ms=7)}\n", "")
