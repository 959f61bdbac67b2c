"""The services as containers, from their official images: for the tests, on a machine with a Docker engine."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.errors import SetupError
from pipeline.services import kafka
from pipeline.services.process import free_port, wait_until
from pipeline.services.roster import service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

IMAGES = {"kafka": "apache/kafka:4.3.1", "redis": "redis:8", "clickhouse": "clickhouse/clickhouse-server:26.3"}
PORTS = {"kafka": 9092, "redis": 6379, "clickhouse": 8123}
PASSWORD = "holdfast"  # noqa: S105 - of a server that lives as long as a test run; without one ClickHouse refuses the network
ADDRESSES = {"kafka": "{}:{}", "redis": "redis://{}:{}/0", "clickhouse": f"http://default:{PASSWORD}@{{}}:{{}}"}
READY_WITHIN_SECONDS = 120.0


@contextmanager
def running_container(name: str) -> Iterator[str]:
    """Have `kafka`, `redis` or `clickhouse` up as a container for a block of code. Gives its address.

    Raises SetupError when it does not answer in time.
    """
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - not installed where nobody tests

    container = DockerContainer(IMAGES[name])
    host, port = container.get_container_host_ip(), free_port()
    container.with_bind_ports(PORTS[name], port)
    for variable, value in _environment(name, host, port).items():
        container.with_env(variable, value)
    with container:
        address = ADDRESSES[name].format(host, port)
        is_ready = kafka.is_ready if name == kafka.NAME else service(name).answers
        if not wait_until(lambda: is_ready(address), READY_WITHIN_SECONDS):
            message = f"the container of {IMAGES[name]} was not ready within {READY_WITHIN_SECONDS:g} s"
            raise SetupError(message)
        yield address


def _environment(name: str, host: str, port: int) -> Mapping[str, str]:
    if name == "clickhouse":
        return {"CLICKHOUSE_PASSWORD": PASSWORD}
    if name != kafka.NAME:
        return {}
    config = {
        **kafka.CONFIG,
        "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
        "controller.quorum.voters": "1@localhost:9093",
    }
    # The image's own spelling of a property, as its documentation gives it.
    return {f"KAFKA_{key.upper().replace('.', '_')}": value for key, value in config.items()}
