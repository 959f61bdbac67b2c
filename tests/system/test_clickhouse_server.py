"""The embedded ClickHouse, as an unmodified client, curl and a chart tool see it."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import clickhouse_connect
import lz4.frame  # type: ignore[import-untyped]
import pytest
import urllib3
from clickhouse_connect.driver.exceptions import DatabaseError

from pipeline.errors import SetupError
from pipeline.services import clickhouse, clickhouse_request
from pipeline.services.clickhouse_engine import EngineRefusal
from pipeline.services.process import is_alive, kill, stop, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clickhouse_connect.driver.client import Client

    from pipeline.services.process import Running

pytestmark = pytest.mark.system
ROWS = 50_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = clickhouse.start(tmp_path_factory.mktemp("clickhouse"))
    yield running
    kill(running)


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with clickhouse_connect.get_client(dsn=server.address) as connected:
        connected.command("DROP TABLE IF EXISTS t")
        connected.command("CREATE TABLE t (n UInt64, name String) ENGINE = MergeTree ORDER BY n")
        yield connected


def _http(address: str, path: str = "/", **options: object) -> urllib3.BaseHTTPResponse:
    method = "POST" if "body" in options or "fields" in options else "GET"
    with urllib3.PoolManager(retries=False) as pool:
        return pool.request(method, address + path, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("compress", ["", "lz4", "gzip"])
def test_an_unmodified_client_inserts_and_reads(server: Running, client: Client, compress: str) -> None:
    with clickhouse_connect.get_client(dsn=server.address, compress=compress) as other:
        columns: list[list[Any]] = [list(range(ROWS)), [f"é{number}" for number in range(ROWS)]]
        summary = other.insert("t", columns, column_names=["n", "name"], column_oriented=True)
        assert summary.written_rows == ROWS
    question = "SELECT count(), max(n), {word:String}, {numbers:Array(UInt8)} FROM t WHERE startsWith(name, 'é')"
    answer = client.query(question, parameters={"word": "a\tb'c\\", "numbers": [1, 2]})
    assert answer.result_rows == [(ROWS, ROWS - 1, "a\tb'c\\", [1, 2])]
    parts = "SELECT count() FROM system.parts WHERE active AND table = 't'"
    assert client.command(parts) == 1


def test_an_insert_under_one_token_counts_once(client: Client) -> None:
    client.command("ALTER TABLE t MODIFY SETTING non_replicated_deduplication_window = 100")
    for _ in range(3):
        client.insert("t", [[1, "a"]], column_names=["n", "name"], settings={"insert_deduplication_token": "one"})
    assert client.command("SELECT count() FROM t") == 1


def test_curl_reads_and_writes(server: Running, client: Client) -> None:
    rows = '{"n":7,"name":"into outfile"}\n{"n":8}\n'
    subprocess.run(["curl", "-sf", server.address, "-d", f"INSERT INTO t FORMAT JSONEachRow {rows}"], check=True)
    packed = gzip.compress(b"9\tnine\n") + gzip.compress(b"10\tten\n")
    path = "/?query=INSERT%20INTO%20t%20FORMAT%20TSV"
    assert _http(server.address, path, body=packed, headers={"Content-Encoding": "gzip"}).status == 200
    assert _http(server.address, "/?query=INSERT%20INTO%20t%20VALUES", body=b"(11,'x'),(12,'y')").status == 200
    assert client.query("SELECT n, name FROM t ORDER BY n").result_rows == [
        (7, "into outfile"),
        (8, ""),
        (9, "nine"),
        (10, "ten"),
        (11, "x"),
        (12, "y"),
    ]


def test_a_chart_tool_gets_json_with_its_settings_and_database(server: Running) -> None:
    question = b"SELECT number AS n FROM numbers(3)"
    answer = _http(server.address, "/?default_format=JSON&database=system&max_block_size=1&session_id=s", body=question)
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert json.loads(answer.data)["data"] == [{"n": 0}, {"n": 1}, {"n": 2}]
    form = {"query": "SELECT {x:UInt8} + 1", "param_x": "41"}
    assert _http(server.address, fields=form).data == b"42\n"
    assert (_http(server.address).data, _http(server.address, "/ping").data) == (b"Ok.\n", b"Ok.\n")
    headers = _http(server.address, "/?query_id=mine&query=SELECT%201").headers
    assert (headers["X-ClickHouse-Query-Id"], headers["X-ClickHouse-Format"]) == ("mine", "TabSeparated")


@pytest.mark.parametrize(
    ("path", "body", "answers"),
    [
        ("/?query=DROP%20TABLE%20t", None, (500, "164")),
        ("/", b"SELECT * FROM nothing", (404, "60")),
        ("/", b"SELECT", (400, "62")),
        ("/?no_such_setting=1", b"SELECT 1", (400, "115")),
        ("/?a%20b=1", b"SELECT 1", (400, "115")),
        ("/?decompress=1", b"SELECT 1", (501, "48")),
        ("/", b"SELECT 1 INTO OUTFILE '/tmp/x'", (501, "48")),
        ("/", b"\xff\xfe", (400, "36")),
        ("/?query=INSERT%20INTO%20t%20FORMAT%20Native", b"\x01\x02\x03", (400, "33")),
        ("/?query=INSERT%20INTO%20t%20FORMAT%20JSONEachRow", b'{"n":"x"}', (400, "27")),
    ],
)
def test_what_is_wrong_is_answered_with_clickhouse_s_code(
    server: Running, client: Client, path: str, body: bytes | None, answers: tuple[int, str]
) -> None:
    answer = _http(server.address, path, **({} if body is None else {"body": body}))
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == answers
    assert answer.data.startswith(b"Code: ")
    assert client.command("SELECT count() FROM t") == 0


def test_a_client_s_error_has_clickhouse_s_code(client: Client) -> None:
    with pytest.raises(DatabaseError) as caught:
        client.query("SELECT * FROM nothing")
    assert caught.value.code == 60


def test_bodies_are_bounded_once_they_are_decompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clickhouse_request, "BODY_BYTES_MAX", 1000)
    for pack, encoding in ((gzip.compress, "gzip"), (lz4.frame.compress, "lz4")):
        assert clickhouse_request.decompressed(pack(b"x" * 600) + pack(b"y" * 300), encoding) == b"x" * 600 + b"y" * 300
        for body in (pack(b"x" * 1001), pack(b"x" * 600) + pack(b"y" * 600), pack(b"x" * 600)[:-9], b"\x00" * 20):
            with pytest.raises(EngineRefusal):
                clickhouse_request.decompressed(body, encoding)
    with pytest.raises(EngineRefusal, match="Content-Encoding br is not served"):
        clickhouse_request.decompressed(b"", "br")


def test_a_running_statement_is_found_by_its_id_and_ended(server: Running, client: Client) -> None:
    failed: list[DatabaseError] = []

    def run() -> None:
        with clickhouse_connect.get_client(dsn=server.address) as other:
            try:
                other.query(
                    "SELECT sleepEachRow(0.1) FROM numbers(600)", settings={"query_id": "slow", "max_block_size": 1}
                )
            except DatabaseError as error:
                failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    running = "FROM system.processes WHERE Settings['log_comment'] = 'slow'"
    assert wait_until(lambda: client.command(f"SELECT count() {running}") == 1, 10)
    client.command("KILL QUERY WHERE Settings['log_comment'] = 'slow' ASYNC")
    thread.join(10)
    assert [error.code for error in failed] == [394]


def test_a_killed_server_comes_back_with_its_rows(tmp_path: Path) -> None:
    first = clickhouse.start(tmp_path)
    with clickhouse_connect.get_client(dsn=first.address) as client:
        client.command("CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n")
        client.insert("kept", [[1], [2]], column_names=["n"])
    kill(first)
    second = clickhouse.start(tmp_path)
    try:
        assert second.address == first.address
        with clickhouse_connect.get_client(dsn=second.address) as client:
            assert client.command("SELECT sum(n) FROM kept") == 3
        with pytest.raises(SetupError, match="one process at a time may open it"):
            clickhouse.start(tmp_path)
    finally:
        stop(second)


def test_a_server_that_is_asked_to_stop_ends_what_runs_and_goes(tmp_path: Path) -> None:
    running = clickhouse.start(tmp_path)
    slow = ["curl", "-s", f"{running.address}/?max_block_size=1", "-d", "SELECT sleepEachRow(0.1) FROM numbers(600)"]
    with (
        subprocess.Popen(slow, stdout=subprocess.DEVNULL),
        clickhouse_connect.get_client(dsn=running.address) as client,
    ):
        asked = (
            "SELECT count() FROM system.processes WHERE query LIKE '%sleepEachRow%' AND query NOT LIKE '%processes%'"
        )
        assert wait_until(lambda: client.command(asked) == 1, 10)
        os.kill(running.pid, signal.SIGTERM)
        assert wait_until(lambda: not is_alive(running), 15)
    assert running.log.read_text() == ""


def test_a_password_is_asked_for_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_CLICKHOUSE_PASSWORD", "p@ss/word")
    running = clickhouse.start(tmp_path)
    try:
        bare = running.address.replace("default:p%40ss%2Fword@", "")
        assert _http(bare, "/?query=SELECT%201").headers["X-ClickHouse-Exception-Code"] == "516"
        assert _http(bare, "/?query=SELECT%201", headers={"Authorization": "Basic !"}).status == 403
        assert _http(bare, "/?query=SELECT%201", headers={"X-ClickHouse-Key": "p@ss/word"}).data == b"1\n"
        with clickhouse_connect.get_client(dsn=running.address) as client:
            assert client.command("SELECT 1") == 1
    finally:
        stop(running)
