"""A promotion: special orders in their shares, at times of now, with the feeds that make them what they are."""

from __future__ import annotations

import argparse
from collections import Counter

import orjson
import pytest

from loadtest.geography import POOLS
from loadtest.journey import Line, ShopOrder
from loadtest.promotion.making import Promotion, Wish, promote
from loadtest.promotion.mix import KINDS, NONE, Mix, add_options, mix_of
from loadtest.promotion.special import LATE_PAYMENT_SECONDS
from loadtest.scenario import Shares
from pipeline.connectors.generic_messages import decode_any, decode_order
from pipeline.domain.stock_commands import AnnounceInbound, OpenFlash
from pipeline.errors import SettingsError
from pipeline.topics import ORDERS_RAW

BEGIN_MS = 1_790_000_000_000
SHOPS = {f"s{number}": pool for number, pool in enumerate(POOLS)}
PLAIN = Shares(0.0, 0.0, 0.0, 0.0)


def orders(count: int) -> list[ShopOrder]:
    lines = (Line("a", 2, 100), Line("b", 1, 50))
    return [
        ShopOrder(f"o{place}", f"s{place % len(SHOPS)}", str(place), 1_490_000_000_000, lines, 0, 0, 0)
        for place in range(count)
    ]


def promoted(mix: Mix, count: int = 400) -> Promotion:
    return promote(orders(count), SHOPS, Wish(mix, PLAIN, 100.0, BEGIN_MS, 7, 4))


def only(kind: str) -> Mix:
    return NONE._replace(**{kind: 1.0})


def test_without_special_orders_nothing_is_sent_but_orders() -> None:
    made = promoted(NONE)
    assert {record.topic for record in made.records} == {ORDERS_RAW.name}
    assert (made.feed, made.commands, made.kinds, made.planned, len(made.records)) == ([], [], {}, "", 400)


def test_orders_are_of_the_time_at_which_they_are_sent() -> None:
    for record in promoted(Mix()).records:
        body = orjson.loads(record.value or b"")
        if "created_at" in body:
            assert abs(body["created_at"] - BEGIN_MS - record.offset_seconds * 1000) <= 1


def test_the_shares_are_kept_about() -> None:
    counts = Counter(promoted(Mix(), 20_000).kinds.values())
    for kind, share in Mix()._asdict().items():
        assert abs(counts[kind] / 20_000 - share) < 0.005


@pytest.mark.parametrize("kind", KINDS)
def test_every_message_of_every_kind_is_one_that_the_connector_takes(kind: str) -> None:
    made = promoted(only(kind))
    assert set(made.kinds.values()) == {kind}
    for record in made.records:
        if record.topic == ORDERS_RAW.name:
            value = record.value or b""
            (decode_any if b'"type"' in value else decode_order)(value)


def test_a_late_payment_comes_when_the_hold_is_over() -> None:
    sent = [record for record in promoted(only("late_payment"), 8).records if record.topic == ORDERS_RAW.name]
    by_key: dict[bytes, list[float]] = {}
    for record in sent:
        by_key.setdefault(record.key, []).append(record.offset_seconds)
    low, high = LATE_PAYMENT_SECONDS
    assert all(low <= paid - placed <= high for placed, paid in by_key.values())


def test_nine_of_ten_presale_orders_are_promised_and_what_was_promised_comes() -> None:
    made = promoted(only("presale"))
    promised = {
        one.pool: [[unit.sku, unit.units] for unit in one.units]
        for one in made.feed
        if isinstance(one, AnnounceInbound)
    }
    came = {
        body["pool"]: body["units"]
        for body in (orjson.loads(record.value or b"") for record in made.commands)
        if body.get("inbound_id")
    }
    assert set(promised) == set(POOLS)
    assert promised == came
    assert {units[0][1] for units in promised.values()} == {45}


def test_half_of_the_flash_sales_sell_out() -> None:
    made = promoted(only("flash"))
    units = {one.pool: one.units for one in made.feed if isinstance(one, OpenFlash)}
    assert sorted(units.values()) == [25] * 4 + [75] * 4


def test_shares_of_more_than_all_orders_are_refused() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    assert mix_of(parser.parse_args([])) == Mix()
    with pytest.raises(SettingsError, match="the shares of special orders are"):
        mix_of(parser.parse_args(["--flash-orders-share", "0.9", "--presale-orders-share", "0.2"]))
