from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from redis import Redis

from pipeline.errors import SetupError
from pipeline.services import bring_up, cli, processes, running, take_down
from pipeline.services import kafka as kafka_service
from pipeline.services.jars import cache_directory, ensure_jars
from pipeline.services.process import Server, is_alive, kill, launch, wait_until
from pipeline.services.roster import service
from pipeline.settings import ROOT, read_settings
from pipeline.topics import RAW_RECORD_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.services.process import Running

pytestmark = pytest.mark.system
DEADLINE_SECONDS = 30.0


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    take_down(tmp_path)


def test_every_service_answers_at_its_address(services: dict[str, str]) -> None:
    assert {name: service(name).answers(address) for name, address in services.items()} == dict.fromkeys(services, True)


def test_a_killed_broker_comes_back_at_its_address_with_what_was_committed(own: Path) -> None:
    first = bring_up(own, ("kafka",))["kafka"]
    large = b"x" * RAW_RECORD_BYTES_MAX
    _produce_in_a_transaction(first.address, [b"small", large])
    kill(first)
    second = bring_up(own, ("kafka",))["kafka"]
    assert (second.address, second.pid == first.pid) == (first.address, False)
    assert _consume(second.address, 2) == [b"small", large]


def test_a_killed_redis_comes_back_at_its_address_and_empty(own: Path) -> None:
    first = bring_up(own, ("redis",))["redis"]
    with Redis.from_url(first.address) as client:
        client.set("place", "old")
    kill(first)
    second = bring_up(own, ("redis",))["redis"]
    assert second.address == first.address
    with Redis.from_url(second.address) as client:
        assert client.get("place") is None, "what is in Redis is read from the log again: an old copy is of no use"


def test_what_is_up_stays_as_it_is(own: Path) -> None:
    assert bring_up(own, ("redis",)) == bring_up(own, ("redis",))


def test_the_settings_find_what_is_up(own: Path) -> None:
    up = bring_up(own, ("redis",))["redis"]
    assert read_settings({"HOLDFAST_RUN_DIR": str(own)}, needs=("redis",)).redis == up.address


def test_a_start_that_fails_half_way_stops_what_it_started(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_JAVA", "/nowhere/java")
    with pytest.raises(SetupError, match="HOLDFAST_JAVA: /nowhere/java"):
        bring_up(own, ("redis", "kafka"))
    assert processes(own) == {}
    port = int((own / "services" / "redis" / "port").read_text())
    assert not service("redis").answers(f"redis://127.0.0.1:{port}/0")


def test_what_is_taken_down_is_gone_and_its_data_where_asked(own: Path) -> None:
    up = bring_up(own, ("redis",))["redis"]
    assert take_down(own, clean=True) == ["redis"]
    assert not is_alive(up)
    assert not up.directory.exists()
    assert take_down(own) == []


def test_an_error_in_the_block_stops_the_services(own: Path) -> None:
    seen: list[Running] = []

    def fail_with_redis_up() -> None:
        with running(own, ("redis",)):
            seen.extend(processes(own).values())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_with_redis_up()
    assert [is_alive(one) for one in seen] == [False]


def test_what_was_up_before_the_block_stays_up(own: Path) -> None:
    up = bring_up(own, ("redis",))["redis"]
    with running(own, ("redis",)) as addresses:
        assert addresses == {"redis": up.address}
    assert is_alive(up)


def test_sigterm_stops_the_services_of_a_block(own: Path) -> None:
    program = (
        "import signal, sys; from pathlib import Path; from pipeline.services import running\n"
        "with running(Path(sys.argv[1]), ('redis',)): print('up', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(own)], cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        up = processes(own)["redis"]
        child.send_signal(signal.SIGTERM)
        assert child.wait(DEADLINE_SECONDS) == 128 + signal.SIGTERM
    assert not is_alive(up)


def test_a_server_that_exits_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    server = _program(tmp_path, "print('the disk is gone'); raise SystemExit(7)")
    with pytest.raises(SetupError, match=r"(?s)exited with status 7.*the disk is gone"):
        launch(server, lambda: False)


def test_a_server_that_is_not_ready_in_time_is_an_error_and_is_gone(tmp_path: Path) -> None:
    server = _program(tmp_path, "import os, signal; print(os.getpid(), flush=True); signal.pause()")
    with pytest.raises(SetupError, match=r"not ready within 1 s"):
        launch(server, lambda: False)
    with pytest.raises(ProcessLookupError):
        os.kill(int(server.log.read_text()), 0)


def test_a_server_steps_back_by_its_niceness_and_its_session_does(tmp_path: Path) -> None:
    server = msgspec.structs.replace(_program(tmp_path, "import signal; signal.pause()"), niceness=7)
    up = launch(server, lambda: True)
    try:
        session = Path(f"/proc/{up.pid}/autogroup")
        assert os.getpriority(os.PRIO_PROCESS, up.pid) == 7
        assert not session.exists() or session.read_text().endswith("nice 7\n")
    finally:
        kill(up)


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    server = Server(name="none", command=("/nowhere/none",), address="", directory=tmp_path)
    with pytest.raises(SetupError, match="none did not start"):
        launch(server, lambda: True)


def test_another_process_with_the_pid_is_not_taken_for_the_server(own: Path) -> None:
    up = bring_up(own, ("redis",))["redis"]
    assert not is_alive(msgspec.structs.replace(up, started=up.started - 3600))


def test_status_tells_who_is_up_in_json_and_in_its_exit_status(
    own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable in ("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL", "CLICKHOUSE_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOLDFAST_RUN_DIR", str(own))
    up = bring_up(own, ("redis",))["redis"]
    assert cli.main(["status", "--json"]) == 1
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["redis"] == {"name": "redis", "address": up.address, "pid": up.pid, "healthy": True}
    assert not found["kafka"]["healthy"]


def test_a_broken_jar_is_fetched_again(tmp_path: Path) -> None:
    directory = tmp_path / "jars"
    directory.mkdir()
    for jar in ensure_jars(cache_directory()):
        (directory / jar.name).hardlink_to(jar)
    broken = directory / "jspecify-1.0.0.jar"
    whole = broken.read_bytes()
    broken.unlink()
    broken.write_bytes(whole[:-1])
    ensure_jars(directory)
    assert broken.read_bytes() == whole


def _program(directory: Path, source: str) -> Server:
    command = (sys.executable, "-c", source)
    return Server(name="program", command=command, address="", directory=directory, ready_within_seconds=1.0)


def _produce_in_a_transaction(address: str, values: list[bytes]) -> None:
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic("kept", 1)])["kept"].result(DEADLINE_SECONDS)
    size = kafka_service.RECORD_BYTES_MAX
    producer = Producer({"bootstrap.servers": address, "transactional.id": "t", "message.max.bytes": size})
    producer.init_transactions(DEADLINE_SECONDS)
    producer.begin_transaction()
    for value in values:
        producer.produce("kept", value)
    producer.commit_transaction(DEADLINE_SECONDS)


def _consume(address: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": address, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["kept"])
    values: list[bytes] = []

    def all_there() -> bool:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            values.append(message.value() or b"")
        return len(values) >= count

    try:
        assert wait_until(all_there, DEADLINE_SECONDS), f"{len(values)} of {count} records"
    finally:
        consumer.close()
    return values
