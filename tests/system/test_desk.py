"""The desk at work on a real Kafka: every command line as its user would type it, and what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec
import pytest

from loadtest.deployment import Site, site
from loadtest.oracle.checks import Verdict
from loadtest.oracle.verdict import check_anytime, read_history
from pipeline import cli
from pipeline.domain.orders import internal_order_id
from pipeline.engine import clients
from pipeline.services.process import log_tail, wait_until
from pipeline.settings import ROOT
from pipeline.topics import ORDERS_RAW
from sinks.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

WITHIN_SECONDS = 60.0
HOUR_MS = 3_600_000
SHOP, PLANNED = "s1", "s2"
FEEDS = (
    {"feed": "warehouse", "warehouse": "shanghai", "latitude": 31.2, "longitude": 121.5},
    {"feed": "warehouse", "warehouse": "beijing", "latitude": 39.9, "longitude": 116.4},
    {"feed": "receive", "warehouse": "shanghai", "units": {"X": 50, "Y": 1}},
    {"feed": "receive", "warehouse": "beijing", "units": {"X": 50, "Y": 1, "C": 2}},
)
BOOK = {
    "rules": [
        {
            "id": "many",
            "reason": "RISK_MANY",
            "action": "hold",
            "deadline_minutes": 12,
            "when": {"any_line": {"field": "quantity", "op": "gt", "value": 4}},
        }
    ]
}


class Desk:
    """A deployment with its clock, and somebody who types."""

    def __init__(self, place: Site, capsys: pytest.CaptureFixture[str], directory: Path) -> None:
        self.place, self._capsys, self._directory = place, capsys, directory
        self._producer = clients.producer(place.settings)

    def types(self, text: str, expect: int = 0) -> str:
        """Run a command of `python -m pipeline`; give what it says."""
        status = cli.main(text.split())
        said = self._capsys.readouterr()
        assert status == expect, f"{text}: {status}\n{said.out}{said.err}"
        return said.out + said.err

    def file(self, name: str, text: str) -> Path:
        path = self._directory / name
        path.write_text(text)
        return path

    def send(self, name: str, shop: str = SHOP, kind: str = "order", **fields: Any) -> str:  # noqa: ANN401  JSON
        """Send a message of a shop about an order; give the order's id."""
        told = {"type": kind, "channel": "web", "shop_id": shop, "order_id": name, **fields}
        self._producer.produce(ORDERS_RAW.name, msgspec.json.encode(told), name)
        self._producer.flush(20)
        return internal_order_id("web", shop, name)

    def order(self, name: str, shop: str = SHOP, *, units: dict[str, int], **fields: Any) -> str:  # noqa: ANN401
        lines = [
            {"line_id": sku, "sku": sku, "quantity": count, "unit_price_minor": 100_00} for sku, count in units.items()
        ]
        paid = sum(units.values()) * 100_00
        about: dict[str, Any] = {"status": "paid", "created_at": now(), "buyer_id": name}
        about |= {"province": "浙江省", "city": "杭州市", "district": "余杭区", "address_detail": "文一西路 1"}
        phone = f"138{crc32(name.encode()) % 10**8:08}"
        about |= {
            "receiver_name": "Li Lei",
            "receiver_phone": phone,
            "paid_minor": paid,
        }
        return self.send(name, shop, **(about | {"lines": lines} | fields))

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        store = open_store(self.place.settings.clickhouse)
        try:
            return store.query(question)
        finally:
            store.close()

    def sees(self, order_id: str, *events: str) -> None:
        """Wait until all these events of an order are stored."""

        def found() -> bool:
            return set(events) <= {event for (event,) in self.rows(OF_ORDER.format(order_id))}

        assert wait_until(found, WITHIN_SECONDS), f"{events} of {order_id}: {self.rows(OF_ORDER.format(order_id))}"

    def finds(self, question: str, *rows: tuple[Any, ...]) -> None:
        """Wait until a question has this answer."""
        assert wait_until(lambda: self.rows(question) == list(rows), WITHIN_SECONDS), self.rows(question)


OF_ORDER = "SELECT toString(event) FROM order_events WHERE order_id = '{}'"


def now() -> int:
    return time.time_ns() // 1_000_000


def is_ready(place: Site) -> bool:
    path = place.run_dir / "up.json"
    return path.exists() and bool(json.loads(path.read_text())["ready"])


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Desk]:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL", "CLICKHOUSE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOLDFAST_SANDBOX_OPTIONS", "--report-interval-seconds 900")
    with site({}, keep=False) as place:
        for name in ("HOLDFAST_RUN_DIR", "HOLDFAST_SHOP_POOLS_FILE"):
            monkeypatch.setenv(name, place.environ[name])
        log = place.run_dir / "up.log"
        with log.open("ab") as said:
            up = subprocess.Popen(
                [sys.executable, "-m", "pipeline", "up", "--workers", "1"],
                cwd=ROOT,
                env=dict(place.environ) | {"PYTHONPATH": str(ROOT)},
                stdout=said,
                stderr=said,
            )
        try:
            assert wait_until(lambda: is_ready(place), WITHIN_SECONDS), log_tail(log)
            yield Desk(place, capsys, tmp_path)
        finally:
            up.terminate()
            status = up.wait(90)
        assert status == 0, log_tail(log)
        judged = check_anytime(read_history(place.sources))
        assert [(one.name, one.first) for one in judged if one.verdict is Verdict.BROKEN] == []


def test_the_desk(desk: Desk) -> None:
    lines = [json.dumps({"pool": pool, **feed}) for pool in (SHOP, PLANNED) for feed in FEEDS]
    assert "8 feed(s)" in desk.types(f"stock --wait 60 file {desk.file('feeds.jsonl', chr(10).join(lines))}")
    counts(desk)
    reviews(desk)
    refunds(desk)
    ids = of_every_kind(desk)
    alarms(desk)
    for kind, order_id in ids.items():
        story = desk.types(f"explain {order_id}")
        assert order_id in story, kind


def counts(desk: Desk) -> None:
    """See that a count corrects the difference, and that what makes no sense is refused by SKU and warehouse."""
    desk.types(f"stock --wait 60 --feed-id c1 count {SHOP} shanghai X 48")
    adjusted = "SELECT JSONExtractInt(facts, 'change_units') FROM order_events WHERE event = 'StockAdjusted'"
    desk.finds(adjusted, (-2,))
    desk.types(f"stock --wait 60 --feed-id c1 count {SHOP} shanghai X 40")
    assert desk.rows(adjusted) == [(-2,)], "the id counts once"
    said = desk.types(f"stock --wait 60 adjust {SHOP} nowhere X 1 --reason found", expect=1)
    assert "refused: UNKNOWN_WAREHOUSE (SKU X, 1 units in warehouse nowhere)" in said


def reviews(desk: Desk) -> None:
    """Approve an order by name, reject one by its rule, and let one go since its rule was rolled back."""
    empty, book = desk.file("empty.json", '{"rules": []}'), desk.file("book.json", json.dumps(BOOK))
    desk.types(f"rules activate {empty} --author lin --approver bo")
    desk.types(f"rules activate {book} --author lin --approver bo")
    first, second = (desk.order(name, units={"X": 5}) for name in ("R1", "R2"))
    desk.finds("SELECT count() FROM review_queue", (2,))
    assert "order nobody: nothing holds it" in desk.types("review approve nobody --reviewer ann", expect=2)
    desk.types(f"review approve {first} --reviewer ann --note known")
    desk.sees(first, "ReviewClaimed", "ReviewReleased", "OrderReleased", "OrderRouted")
    assert "1 orders, 1 holds would be" in desk.types("review again --all --reviewer ann --dry-run")
    rolled_back = desk.types("rules rollback 1 --author lin --approver bo --release")
    assert "1 orders that rules hold are looked at again" in rolled_back
    desk.sees(second, "OrderReviewedAgain", "ReviewReleased", "OrderRouted")
    desk.types(f"rules activate {book} --author lin --approver bo")
    third = desk.order("R3", units={"X": 6})
    desk.sees(third, "OrderHeldForReview")
    desk.types("review reject --rule many --reviewer ann")
    desk.sees(third, "ReviewRejected", "OrderCancelled", "RefundDue")


def refunds(desk: Desk) -> None:
    """Grant a large refund by two people, not by one of them twice, and confirm the money."""
    order_id = desk.order("M1", units={"X": 4})
    desk.sees(order_id, "OrderRouted")
    desk.send("M1", kind="refund", at=now(), refund_id="r1", amount_minor=350_00)
    desk.sees(order_id, "RefundRequested")
    desk.types(f"refunds approve {order_id} r1 --approver ann --note fair")
    desk.sees(order_id, "RefundDecided")
    assert "ann has agreed before" in desk.types(f"refunds approve {order_id} r1 --approver ann", expect=2)
    desk.types(f"refunds approve {order_id} r1 --approver bob")
    desk.finds("SELECT state FROM refunds WHERE refund_id = 'r1'", ("approved",))
    desk.types(f"refunds confirm {order_id} r1 --approver eve")
    desk.sees(order_id, "RefundPaid")
    assert "ann" in desk.types("refunds list --state refunded")
    assert "manual" in desk.types("refunds compare")


def of_every_kind(desk: Desk) -> dict[str, str]:
    """Bring about an order of each kind; give their ids."""
    ids = {name: internal_order_id("web", SHOP, number) for name, number in (("held", "R1"), ("refunded", "M1"))}
    ids["split"] = desk.order("S1", units={"Y": 2})
    later = now() + HOUR_MS
    desk.types(f"stock --wait 60 flash {SHOP} 618 X 3 --opens {now() - 1000} --closes {later} --per-buyer 1")
    ids["flash"] = desk.order("F1", units={"X": 1}, sub_pool="flash", buyer_id="ann")
    desk.sees(ids["flash"], "HoldPlaced")
    ids["hoards"] = desk.order("F2", units={"X": 1}, sub_pool="flash", buyer_id="ann")
    desk.types(f"stock --wait 60 announce {SHOP} shanghai i1 Z=2")
    ids["presale"] = desk.order("P1", units={"Z": 1}, sub_pool="presale")
    desk.sees(ids["presale"], "HoldPlaced")
    desk.types(f"stock --wait 60 receive {SHOP} shanghai Z=2 --inbound i1")
    ids["late"] = desk.order("L1", units={"X": 1})
    ids["moved"] = desk.order("A1", units={"X": 1})
    plan = desk.file("plan.json", json.dumps({"version": "1", "weights": {"nearest": 1}}))
    desk.types(f"network plan {PLANNED} {plan}")
    ids["elsewhere"] = desk.order("E1", PLANNED, units={"X": 1}, province="北京市", city="北京市")
    desk.sees(ids["split"], "ShipmentTracked")
    desk.sees(ids["flash"], "OrderRouted")
    desk.sees(ids["hoards"], "HoldRefused")
    desk.sees(ids["presale"], "HoldFilled", "OrderRouted")
    for name in ("late", "moved", "elsewhere"):
        desk.sees(ids[name], "ShipmentTracked")
    desk.send("L1", kind="cancellation", at=now(), reason="changed my mind")
    to = {"receiver_name": "Han", "province": "北京市", "city": "北京市", "district": "海淀区", "address_detail": "1"}
    desk.send("A1", kind="address", at=now(), author="buyer", **to)
    desk.types(f"network close {PLANNED} beijing --reason flood")
    desk.sees(ids["late"], "FulfilmentCancelled", "OrderCancelled", "CancelConfirmed", "RefundDue")
    desk.sees(ids["moved"], "OrderChanged", "HoldReaddressed")
    desk.sees(ids["elsewhere"], "RerouteStarted", "PartRerouted")
    assert "TOO_MANY_FOR_ONE_BUYER" in desk.types(f"explain {ids['hoards']}")
    return ids


def alarms(desk: Desk) -> None:
    """Say into the log what time it will be: what is late then is an alarm, once each."""
    held = desk.order("W1", units={"X": 7})
    waits = desk.order("W2", units={"C": 4}, may_split=True)
    desk.sees(held, "OrderHeldForReview")
    desk.sees(waits, "HoldPlaced")
    desk.types(f"clock --once --at {now() + HOUR_MS}")
    desk.sees(waits, "HoldOverdue")
    desk.sees(held, "ReviewOverdue")
    desk.types(f"clock --once --at {now() + 5 * HOUR_MS}")
    desk.types(f"clock --once --at {now() + 8 * 24 * HOUR_MS}")
    told = "SELECT DISTINCT alarm FROM alarms ORDER BY alarm"
    desk.finds(told, ("locked",), ("outbound",), ("refund",), ("review",), ("routing",), ("silent",))
    twice = "SELECT alarm, order_id, fulfilment_id, reason, level FROM alarms GROUP BY 1, 2, 3, 4, 5 HAVING count() > 1"
    assert desk.rows(twice) == []
