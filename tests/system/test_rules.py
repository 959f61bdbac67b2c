"""Changing the rules while workers run: in effect on all of them within two seconds, without a restart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import confluent_kafka
import msgspec
import orjson
import pytest
from confluent_kafka import TopicPartition

from loadtest.scraping import samples_of
from pipeline.cli import main
from pipeline.domain.orders import internal_order_id
from pipeline.engine import clients
from pipeline.errors import HoldfastError
from pipeline.rules.log import append, read_log
from pipeline.rules.versions import Said, Version, switched
from pipeline.services import running
from pipeline.services.process import wait_until
from pipeline.settings import ROOT, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

WITHIN_SECONDS = 100.0
IN_EFFECT_SECONDS = 2.0
SLOTS = (0, 1)
PARTITIONS = 4
EXAMPLES = str(ROOT / "pipeline" / "rules" / "examples.json")
SAID = ("--author", "lin", "--note", "test")


class Watched:
    """Committed events, as they are read: when each was seen, by the machine's clock in seconds."""

    def __init__(self, settings: Settings) -> None:
        self.events: list[tuple[float, dict[str, Any]]] = []
        self._over = threading.Event()
        self._consumer = clients.committed_reader(settings)
        self._consumer.assign([TopicPartition("order.events", number, 0) for number in range(PARTITIONS)])
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._over.is_set():
            for message in self._consumer.consume(1000, 0.05):
                if message.error() is None:
                    self.events.append((time.time(), orjson.loads(message.value() or b"")))
        self._consumer.close()

    def of(self, event: str, **facts: Any) -> list[tuple[float, dict[str, Any]]]:  # noqa: ANN401  JSON
        return [
            (seen, one)
            for seen, one in self.events
            if one["event"] == event and all(one.get(name) == value for name, value in facts.items())
        ]

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


class Deployment:
    """Two workers with all stages on a broker of their own."""

    def __init__(self, directory: Path, kafka: str) -> None:
        self.directory = directory
        self.settings = msgspec.structs.replace(Settings(), kafka=kafka, run_dir=directory)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.orders = 0
        self._producer = clients.producer(self.settings)
        assert self._run("topics").wait(60) == 0, self.log("topics")
        self.workers = [self._run("worker", slot) for slot in SLOTS]
        self.watched = Watched(self.settings)

    def _run(self, word: str, slot: int = 0) -> subprocess.Popen[bytes]:
        given = {
            "KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka,
            "HOLDFAST_RUN_DIR": str(self.directory),
            "HOLDFAST_SLOT": str(slot),
            "PYTHONPATH": str(ROOT),
        }
        with (self.directory / f"{word}-{slot}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "pipeline", word], cwd=ROOT, env=os.environ | given, stdout=log, stderr=log
            )

    def log(self, word: str, slot: int = 0) -> str:
        return (self.directory / f"{word}-{slot}.log").read_text()[-4000:]

    def submit(self, province: str, paid_minor: int, shops: int = 1) -> list[str]:
        """Send an order for each of so many shops, which are pools of their own; give the orders' ids."""
        ids = []
        for shop in range(shops):
            self.orders += 1
            name, shop_id = f"A{self.orders}", f"s{shop}"
            order = {
                "type": "order",
                "channel": "web",
                "shop_id": shop_id,
                "order_id": name,
                "status": "paid",
                "created_at": time.time_ns() // 1_000_000,
                "buyer_id": f"b{self.orders}",
                "receiver_name": "Li Lei",
                "receiver_phone": f"138{self.orders:08}",
                "province": province,
                "city": "city",
                "address_detail": f"street {self.orders}",
                "paid_minor": paid_minor,
                "lines": [{"line_id": "1", "sku": "X", "quantity": 1, "unit_price_minor": paid_minor}],
            }
            self._producer.produce("orders.raw", json.dumps(order), shop_id)
            ids.append(internal_order_id("web", shop_id, name))
        assert self._producer.flush(30) == 0
        return ids

    def wait(self, event: str, number: int, **facts: Any) -> list[tuple[float, dict[str, Any]]]:  # noqa: ANN401  JSON
        """Wait until so many events of a kind are there, and give them."""
        assert wait_until(lambda: len(self.watched.of(event, **facts)) >= number, WITHIN_SECONDS), (
            f"{event} {facts}: {len(self.watched.of(event, **facts))} of {number}\n{self.log('worker')}"
        )
        return self.watched.of(event, **facts)

    def held(self, order_id: str) -> list[str]:
        return [one["rule_version"] for _, one in self.watched.of("OrderHeldForReview", order_id=order_id)]

    def versions_shown(self) -> set[float]:
        """Give what the workers' metrics say of the version that is in effect."""
        found = set()
        for slot in SLOTS:
            announced = json.loads((self.directory / "workers" / f"holdfast-{slot}.json").read_text())
            with urllib.request.urlopen(announced["metrics"], timeout=5) as page:  # noqa: S310  a worker's own address
                text = page.read().decode()
            found |= {value for name, _, value in samples_of(text) if name == "holdfast_rules_version"}
        return found

    def stop(self) -> None:
        self.watched.stop()
        for worker in self.workers:
            worker.kill()
            worker.wait()


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    directory = tmp_path_factory.mktemp("rules")
    with running(directory, ("kafka",)) as addresses:
        deployment = Deployment(directory, addresses["kafka"])
        yield deployment
        deployment.stop()


@pytest.fixture(autouse=True)
def environment(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands in this process find the deployment."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", deployment.settings.kafka)
    monkeypatch.setenv("HOLDFAST_RUN_DIR", str(deployment.directory))


def in_effect_after(deployment: Deployment, version: int) -> float:
    """Give the seconds from a version's record in the log until every partition has said that it is in effect."""
    seen = [at for at, _ in deployment.wait("RulesActivated", PARTITIONS, version=version)]
    assert len(seen) == PARTITIONS
    reader = clients.committed_reader(deployment.settings)
    reader.assign([TopicPartition("rules.log", 0, confluent_kafka.OFFSET_BEGINNING)])
    times = {}
    while version not in times:
        for message in reader.consume(100, 1.0):
            if message.error() is None:
                times[orjson.loads(message.value() or b"")["version"]] = message.timestamp()[1] / 1000
    reader.close()
    return max(seen) - times[version]


def last_version(deployment: Deployment) -> int:
    versions = read_log(deployment.settings)
    return versions[-1].version if versions else 0


@pytest.fixture
def shipped(deployment: Deployment) -> int:
    """Have the shipped examples in effect, and give their version."""
    assert main(["rules", "activate", EXAMPLES, *SAID]) == 0
    version = last_version(deployment)
    deployment.wait("RulesActivated", PARTITIONS, version=version)
    return version


def test_a_change_is_in_effect_on_all_workers_within_two_seconds_and_without_a_restart(deployment: Deployment) -> None:
    for order_id in deployment.submit("新疆", 60_000, shops=8):
        deployment.wait("OrderPaid", 1, order_id=order_id)
        assert deployment.held(order_id) == []
    took, version = [], last_version(deployment)
    switch = ["rules", "switch", "risk-remote-region"]
    changes = (["rules", "activate", EXAMPLES], [*switch, "off"], [*switch, "on"], [*switch, "off"])
    for change in (*changes, ["rules", "rollback", str(version + 1)]):
        version += 1
        assert main([*change, *SAID]) == 0
        took.append(in_effect_after(deployment, version))
        is_held = change[-1] != "off"
        for order_id in deployment.submit("新疆", 60_000, shops=8):
            deployment.wait("OrderHeldForReview" if is_held else "OrderPaid", 1, order_id=order_id)
            assert deployment.held(order_id) == ([f"risk-remote-region@{version}"] if is_held else [])
    print("in effect after", ", ".join(f"{seconds:.2f} s" for seconds in took))
    # The median: on a machine that others use too, a pause of theirs is none of ours.
    assert sorted(took)[len(took) // 2] < IN_EFFECT_SECONDS
    assert [worker.poll() for worker in deployment.workers] == [None, None]
    assert wait_until(lambda: deployment.versions_shown() == {float(version)}, WITHIN_SECONDS)


def test_every_version_says_who_made_it_and_why(
    deployment: Deployment, shipped: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rules", "switch", "vip-fragile", "off", "--author", "zhao", "--note", "too dear"]) == 0
    version = read_log(deployment.settings)[-1]
    assert (version.version, version.author, version.note) == (shipped + 1, "zhao", "too dear")
    for _, event in deployment.wait("RulesActivated", PARTITIONS, version=version.version):
        assert (event["author"], event["note"], event["rules"]) == ("zhao", "too dear", 5)
        assert event["digest"] == version.digest
    capsys.readouterr()
    assert main(["rules", "diff", str(shipped), str(version.version)]) == 0
    assert '+      "enabled": false,' in capsys.readouterr().out
    assert main(["rules", "history"]) == 0
    assert "switch vip-fragile off" in capsys.readouterr().out
    assert main(["rules", "show", "--version", str(shipped)]) == 0
    assert f"version {shipped} of" in capsys.readouterr().out


def test_a_stock_gate_is_not_switched_off_by_one_person(
    deployment: Deployment, shipped: int, capsys: pytest.CaptureFixture[str]
) -> None:
    off = ["rules", "switch", "stock-protection", "off"]
    assert main([*off, *SAID]) == 2
    assert main([*off, *SAID, "--approver", "lin"]) == 2
    assert "stock-protection is removed or switched off" in capsys.readouterr().err
    assert last_version(deployment) == shipped
    assert main([*off, *SAID, "--approver", "wang"]) == 0
    deployment.wait("RulesActivated", PARTITIONS, version=shipped + 1, approver="wang")


def test_of_two_editors_at_once_the_first_one_is_told_that_nothing_was_made(
    deployment: Deployment, shipped: int
) -> None:
    said = Said(at=1, author="lin", approver="wang", note="first")

    def meanwhile(versions: Sequence[Version]) -> Version | None:
        second = said._replace(note="second")
        append(deployment.settings, lambda now: switched(now, "vip-fragile", second, on=False))
        return switched(versions, "risk-remote-region", said, on=False)

    with pytest.raises(HoldfastError, match=r"nothing of this was made|not changed"):
        append(deployment.settings, meanwhile)
    after = read_log(deployment.settings)
    assert [(one.version, one.note) for one in after[shipped:]] == [(shipped + 1, "second")]
    deployment.wait("RulesActivated", PARTITIONS, version=shipped + 1, note="second")
    assert deployment.watched.of("RulesActivated", note="first") == []


def test_a_shadow_replay_counts_past_orders_by_rule_and_changes_nothing(
    deployment: Deployment, shipped: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for order_id in deployment.submit("浙江", 10_000, shops=12):
        deployment.wait("OrderPaid", 1, order_id=order_id)
    when = {"field": "province", "op": "eq", "value": "浙江"}
    rule = {"id": "all-of-zhejiang", "action": "hold", "reason": "RISK", "when": when}
    path = tmp_path / "tried.json"
    path.write_text(json.dumps({"rules": [rule]}))
    capsys.readouterr()
    assert main(["rules", "try", str(path), "--last", "12", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["submissions"], found["orders"], found["held_now"], found["held_then"]) == (12, 12, 0, 12)
    assert {one["rule"]: one["gained"] for one in found["rules"]}["all-of-zhejiang"] == 12
    assert main(["rules", "try", str(path), "--last", "10000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["orders"] == deployment.orders
    assert last_version(deployment) == shipped
