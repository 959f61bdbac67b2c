"""A real Apache Kafka broker: one combined KRaft node on the loopback address."""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from pipeline.errors import SetupError
from pipeline.services.jars import cache_directory, ensure_jars
from pipeline.services.java import find_java, jvm_flags
from pipeline.services.process import LOOPBACK, Running, Server, free_port, launch, stop, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "kafka"
READY_WITHIN_SECONDS = 90.0
FORMAT_SECONDS_MAX = 60.0
PROBE_SECONDS = 2.0
RECORD_BYTES_MAX = 6 * 1024 * 1024
"""Above the largest record of any topic (5 MiB), with room for its batch's header."""
OLD_SESSION_SECONDS_MAX = 60.0
"""The session itself ends after half a second; on a starved machine that is seen much later."""
CONTROLLER_STARTS_MAX = 5
SESSION = re.compile(r"for broker 1: .*?\bfenced=(-1|1|true|false)\b")
"""What a controller tells of a broker that it lets in (-1, false) or shuts out, while it reads its log."""
PROXY_PORT_VARIABLE = "HOLDFAST_KAFKA_PROXY_PORT"
"""Names a loopback port where a proxy stands: the broker then listens for that proxy on a port of its own too
(`behind_proxy`), and whoever connects there is told the proxy's port as the broker's. Everyone else sees no change."""
DATA_VARIABLE = "HOLDFAST_KAFKA_DATA"
"""Names a directory for the broker's data elsewhere, on a disk of its own; one broker at a time may use it."""
CLEAN_SHUTDOWN = ".kafka_cleanshutdown"
"""What a broker leaves in its data when it was stopped and not killed."""
PORTS_END = 65_536
YEAR_MINUTES = 365 * 24 * 60
CLEANER_BYTES_PER_SECOND = 8 * 1024 * 1024
LOG4J = Path(__file__).with_name("log4j2.properties")

CONFIG = {
    "node.id": "1",
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT",
    # One node, so one replica; few partitions, so that a start opens few files.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "auto.create.topics.enable": "false",
    # The only broker is not to lose its partitions when it is too busy for its heartbeats, nor to be let in again
    # within its old session: see `_end_old_session`.
    "broker.session.timeout.ms": "600000",
    # Tests and the demo wait for these.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # Replayed records carry old event times, and a demo's offsets are looked at again weeks later.
    "log.message.timestamp.type": "LogAppendTime",
    "offsets.retention.minutes": str(YEAR_MINUTES),
    "message.max.bytes": str(RECORD_BYTES_MAX),
    "replica.fetch.max.bytes": str(RECORD_BYTES_MAX),
    # The default, 128 MiB, is a quarter of the heap.
    "log.cleaner.dedupe.buffer.size": str(32 * 1024 * 1024),
    # Unthrottled, a segment is cleaned in a second of full speed, and whoever waits for a commit waits for it.
    "log.cleaner.io.max.bytes.per.second": str(CLEANER_BYTES_PER_SECOND),
    "num.network.threads": "2",
    "num.io.threads": "4",
}


def start(directory: Path) -> Running:
    """Start a broker on a directory, new or used before, and wait until transactions can be begun.

    Raises SetupError, which says what failed, with the end of the log.
    """
    directory = directory.resolve()
    java = find_java()
    jars = ensure_jars(cache_directory())
    command = (str(java), *jvm_flags(), "-cp", os.pathsep.join(map(str, jars)))
    config = directory / "server.properties"
    old = _read_properties(config)
    ports = [free_port(_port(old.get(f"holdfast.{role}.port", ""))) for role in ("broker", "controller")]
    directory.mkdir(parents=True, exist_ok=True)
    config.write_text(_properties({**_config(directory, *ports), **_proxied(old, *ports)}))
    if not (_data(directory) / "meta.properties").exists():
        _format(directory, config, command)
    elif not (_data(directory) / CLEAN_SHUTDOWN).exists():
        _end_old_session(directory, command)
    address = f"{LOOPBACK}:{ports[0]}"
    server = Server(
        name=NAME,
        command=(*command, *_logging(directory / "server.log"), "kafka.Kafka", str(config)),
        address=address,
        directory=directory,
        ready_within_seconds=READY_WITHIN_SECONDS,
    )
    return launch(server, lambda: is_ready(address))


def behind_proxy(directory: Path) -> str:
    """Say where the broker on a directory listens for its proxy. Raises SetupError when it was started without one."""
    port = _port(_read_properties(directory / "server.properties").get("holdfast.proxied.port", ""))
    if not port:
        message = f"kafka: the broker on {directory} was started without {PROXY_PORT_VARIABLE}"
        raise SetupError(message)
    return f"{LOOPBACK}:{port}"


def is_ready(address: str) -> bool:
    """Say whether a broker answers and can begin a transaction: its port opens seconds before its coordinator does."""
    if not answers(address):
        return False
    producer = Producer({**_client(address), "transactional.id": "holdfast-readiness"})
    try:
        producer.init_transactions(PROBE_SECONDS)
    except KafkaException:
        return False
    return True


def answers(address: str) -> bool:
    """Say whether a broker tells its metadata."""
    host, _, port = address.split(",", maxsplit=1)[0].rpartition(":")
    try:
        # librdkafka would write each refused connection to standard error.
        socket.create_connection((host, int(port)), PROBE_SECONDS).close()
        metadata = AdminClient(_client(address)).list_topics(timeout=PROBE_SECONDS)
    except (OSError, KafkaException):
        return False
    return bool(metadata.brokers)


def _client(address: str) -> dict[str, str | int | float | bool]:
    return {"bootstrap.servers": address, "log_level": 0, "client.id": "holdfast-readiness"}


def _config(directory: Path, broker: int, controller: int) -> Mapping[str, str]:
    return {
        **CONFIG,
        "log.dirs": str(_data(directory)),
        "listeners": f"PLAINTEXT://{LOOPBACK}:{broker},CONTROLLER://{LOOPBACK}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{broker},CONTROLLER://{LOOPBACK}:{controller}",
        "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{controller}",
        # Read back by the next start on this directory; the broker does not know these two.
        "holdfast.broker.port": str(broker),
        "holdfast.controller.port": str(controller),
    }


def _data(directory: Path) -> Path:
    return Path(os.environ.get(DATA_VARIABLE) or directory / "data").resolve()


def _proxied(old: Mapping[str, str], broker: int, controller: int) -> Mapping[str, str]:
    """Give what a second listener changes, where a proxy's port is named now or was by an earlier start."""
    proxy = os.environ.get(PROXY_PORT_VARIABLE, old.get("holdfast.proxy.port", ""))
    if not proxy:
        return {}
    if not 0 < _port(proxy) < PORTS_END:
        message = f"{PROXY_PORT_VARIABLE}: must be a port from 1 to {PORTS_END - 1} (it is {proxy!r})"
        raise SetupError(message)
    proxied = free_port(_port(old.get("holdfast.proxied.port", "")))
    own = f"PLAINTEXT://{LOOPBACK}:{broker},CONTROLLER://{LOOPBACK}:{controller}"
    return {
        "listeners": f"{own},PROXIED://{LOOPBACK}:{proxied}",
        "advertised.listeners": f"{own},PROXIED://{LOOPBACK}:{proxy}",
        "holdfast.proxied.port": str(proxied),
        "holdfast.proxy.port": proxy,
    }


def _read_properties(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def _properties(properties: Mapping[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def _port(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _logging(log: Path) -> tuple[str, str]:
    return (f"-Dlog4j2.configurationFile={LOG4J}", f"-Dholdfast.log={log}")


def _end_old_session(directory: Path, command: tuple[str, ...]) -> None:
    """Have a killed broker's session end before it starts again, by running the node's controller alone for a moment.

    Kafka 4.3.1 writes a prepared transaction down as completed without its markers when they wait to be sent and the
    old session ends: the partitions have no leader then, and the coordinator takes them for "likely deleted already".
    The producer's next commit on such a partition then commits an aborted transaction too. The controller tells of the
    end before it has written it down, so it starts until its log has no session. Raises SetupError where it always has.
    """
    for _ in range(CONTROLLER_STARTS_MAX):
        if not _outlive_session(directory, command):
            return
    message = f"kafka: the killed broker's session is still in {directory} after {CONTROLLER_STARTS_MAX} ends"
    raise SetupError(message)


def _outlive_session(directory: Path, command: tuple[str, ...]) -> bool:
    """Run the controller alone until there is no session; say whether there was one. Raises SetupError."""
    log = directory / "controller.log"
    log.unlink(missing_ok=True)
    config = directory / "controller.properties"
    config.write_text(_properties(_controller_config(directory)))
    server = Server(
        name="kafka-controller",
        command=(*command, *_logging(log), "kafka.Kafka", str(config)),
        address="",
        directory=directory,
        ready_within_seconds=READY_WITHIN_SECONDS,
    )

    def has_line(text: str) -> bool:
        return log.exists() and text in log.read_text(errors="replace")

    controller = launch(server, lambda: has_line("Performing controller activation"))
    try:
        # A broker that was killed before it was let in has no session, and its end is not logged.
        told = SESSION.findall(log.read_text(errors="replace"))
        has_session = bool(told) and told[-1] in {"-1", "false"}
        if has_session and not wait_until(lambda: has_line("Fencing broker 1 "), OLD_SESSION_SECONDS_MAX):
            message = f"kafka: the killed broker's session did not end within {OLD_SESSION_SECONDS_MAX:g} s; see {log}"
            raise SetupError(message)
    finally:
        stop(controller)
    return has_session


def _controller_config(directory: Path) -> Mapping[str, str]:
    """Give the configuration of the node's controller alone, which misses the broker soon."""
    properties = _read_properties(directory / "server.properties")
    alone = f"CONTROLLER://{LOOPBACK}:{properties['holdfast.controller.port']}"
    return properties | {
        "listeners": alone,
        "advertised.listeners": alone,
        "process.roles": "controller",
        "broker.session.timeout.ms": "500",
        "broker.heartbeat.interval.ms": "100",
    }


def _format(directory: Path, config: Path, command: tuple[str, ...]) -> None:
    """Give the directory its identity; what an earlier, broken attempt has left there goes first."""
    shutil.rmtree(_data(directory), ignore_errors=True)
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # An id may begin with a dash, so it must not stand alone.
    arguments = ("kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}", "-c", str(config))
    try:
        done = subprocess.run(  # noqa: S603 - the command is this project's own
            (*command, *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FORMAT_SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"kafka: formatting {directory}: {error}"
        raise SetupError(message) from error
    if done.returncode:
        message = f"kafka: formatting {directory} failed with status {done.returncode}\n{done.stdout}{done.stderr}"
        raise SetupError(message)
