"""The proxy before a real broker: what it does to connections, and that only proxied clients feel it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from loadtest.chaos import proxy
from loadtest.chaos.proxy_frames import END_TXN
from loadtest.chaos.proxy_rules import Filter, Rules
from pipeline.services import kafka, running
from pipeline.services.process import free_port, wait_until
from pipeline.services.roster import service_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loadtest.chaos.proxy import Proxy

pytestmark = pytest.mark.system
TOPIC = "proxied"


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, str]]:
    run_dir: Path = tmp_path_factory.mktemp("proxied")
    port = free_port()
    with pytest.MonkeyPatch.context() as patch, running(_named(patch, port, run_dir), ("kafka",)) as served:
        one = proxy.start(run_dir, port, kafka.behind_proxy(service_directory(run_dir, "kafka")))
        admin = AdminClient({"bootstrap.servers": served["kafka"]})
        admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(20)
        yield one, served["kafka"]
        one.stop()


def _named(patch: pytest.MonkeyPatch, port: int, run_dir: Path) -> Path:
    patch.setenv(kafka.PROXY_PORT_VARIABLE, str(port))
    return run_dir


def producer(address: str, **properties: str) -> Producer:
    return Producer({"bootstrap.servers": address, "log_level": 0, **properties})


def is_sent(one: Producer) -> bool:
    return one.flush(0.2) == 0


def test_who_comes_by_the_proxy_stays_on_it_and_the_others_do_not(addresses: tuple[Proxy, str]) -> None:
    for address in (addresses[0].address, addresses[1]):
        brokers = AdminClient({"bootstrap.servers": address}).list_topics(timeout=10).brokers
        assert [f"{broker.host}:{broker.port}" for broker in brokers.values()] == [address]


def test_a_cut_connection_is_reset_and_comes_back(addresses: tuple[Proxy, str]) -> None:
    one, direct = addresses
    proxied, other = producer(one.address), producer(direct)
    one.control.give(Rules(cut=True))
    proxied.produce(TOPIC, b"1")
    other.produce(TOPIC, b"2")
    assert wait_until(lambda: is_sent(other), 10)
    assert wait_until(lambda: one.control.ask().counts.resets > 0, 10)
    assert not is_sent(proxied)
    one.control.give(Rules())
    assert wait_until(lambda: is_sent(proxied), 20)


def test_requests_of_who_is_watched_are_counted_and_pass(addresses: tuple[Proxy, str]) -> None:
    one, direct = addresses
    other = producer(direct)
    one.control.give(Rules(watched=True))
    other.produce(TOPIC, b"4")
    assert wait_until(lambda: is_sent(other), 10)
    assert one.control.ask().counts.requests == 0
    proxied = producer(one.address)  # only now: a client asks for metadata as soon as it is made
    proxied.produce(TOPIC, b"5")
    assert wait_until(lambda: is_sent(proxied), 10)
    counts = one.control.give(Rules()).counts
    assert counts.requests > 0
    assert not counts.is_effect


def test_a_black_hole_holds_what_comes_in_and_lets_it_go(addresses: tuple[Proxy, str]) -> None:
    one, _ = addresses
    proxied = producer(one.address)
    proxied.produce(TOPIC, b"1")
    assert wait_until(lambda: is_sent(proxied), 10)
    one.control.give(Rules(hold_up=True))
    proxied.produce(TOPIC, b"2")
    assert wait_until(lambda: one.control.ask().counts.bytes_held > 0, 10)
    assert not is_sent(proxied)
    one.control.give(Rules())
    assert wait_until(lambda: is_sent(proxied), 20)


@pytest.mark.parametrize(("side", "deed"), [("answer", "reset"), ("request", "reset"), ("request", "late")])
def test_a_lost_or_late_commit_is_met_once_and_sent_again(addresses: tuple[Proxy, str], side: str, deed: str) -> None:
    one, _ = addresses
    transactional = producer(one.address, **{"transactional.id": f"{side}-{deed}"})
    transactional.init_transactions(10)
    transactional.begin_transaction()
    transactional.produce(TOPIC, b"3")
    met = Filter(
        api_keys=(END_TXN,),
        side="answer" if side == "answer" else "request",
        deed="late" if deed == "late" else "reset",
        delay_ms=100,
        hits_max=1,
    )
    one.control.give(Rules(filters=(met,)))
    transactional.commit_transaction(20)
    counts = one.control.give(Rules()).counts
    assert (counts.frames, counts.resets) == ({f"{side} {END_TXN} {deed}": 1}, 1)
