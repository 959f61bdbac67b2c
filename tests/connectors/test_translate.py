from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.connectors import ORDER_PAYLOAD_BYTES_MAX, translate
from pipeline.connectors.payload import receiver_digest
from pipeline.connectors.shops import read_shop_pools
from pipeline.errors import PoisonError, SettingsError
from tests.connectors.records import REFERENCE, json_bytes, record, translated
from tests.connectors.test_generic import ORDER

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.engine.stage import Record

VALID = json_bytes(ORDER)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "EMPTY"),
        (b"", "EMPTY"),
        (b"{", "MALFORMED"),
        (b"\xff\xfe", "MALFORMED"),
        (b"x" * (ORDER_PAYLOAD_BYTES_MAX + 1), "OVERSIZED"),
        (b"[]", "INVALID"),
    ],
)
def test_a_record_that_is_no_payload_says_why(value: bytes | None, reason: str) -> None:
    with pytest.raises(PoisonError) as caught:
        translated(value)
    assert caught.value.reason == reason


def test_a_payload_of_the_largest_size_is_read() -> None:
    padded = VALID + b" " * (ORDER_PAYLOAD_BYTES_MAX - len(VALID))
    assert translated(padded).platform_order_id == "A-1"


def test_an_unknown_platform_is_named_with_those_that_are_known() -> None:
    with pytest.raises(
        PoisonError, match="no connector for 'tmall'; there are generic-json, generic-csv, shopify"
    ) as caught:
        translated(VALID, platform=b"tmall")
    assert caught.value.reason == "UNKNOWN_PLATFORM"


def test_the_header_may_name_the_default_platform_or_be_left_out() -> None:
    assert translated(VALID, platform=b"generic-json") == translated(VALID) == translated(VALID, platform=b"")


HOSTILE = [
    b'{"channel":"web","shop_id":"s1","order_id":"A","status":"paid","created_at":NaN,"lines":[]}',
    b'{"channel":"web","shop_id":"s1","order_id":"A","status":"paid","created_at":Infinity,"lines":[]}',
    b'{"channel":"web","shop_id":"s1","order_id":"A","status":"paid","created_at":' + b"9" * 100_000 + b',"lines":[]}',
    b'{"channel":"web","shop_id":"s1","order_id":"A","status":"paid","created_at":1e400,"lines":[]}',
    b"[" * 200_000,
    b'{"lines":' + b"[" * 200_000,
    b'{"more":' + b'{"a":' * 200_000,
    b'{"channel":"\\ud800","shop_id":"s1","order_id":"A","status":"paid","created_at":1,"lines":[]}',
    b'{"channel":"\\udc00\\ud800","shop_id":"s1","order_id":"A","status":"paid","created_at":1,"lines":[]}',
    b'{"channel":"\xed\xa0\x80","shop_id":"s1","order_id":"A","status":"paid","created_at":1,"lines":[]}',
    b'{"channel":"web\\u0000","shop_id":"\\u0000","order_id":"\\u0000","status":"paid","created_at":1,"lines":[]}',
    b"\x00" * 100,
    b"\xef\xbb\xbf" + VALID,
    b'InvoiceNo,StockCode\n"unclosed',
    b"InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n1,2,3,1/1/2010,0.01,,\x00\n",
]
platforms = st.sampled_from((b"generic-json", b"generic-csv", b"shopify", b"\xff"))
broken = st.tuples(st.integers(0, len(VALID) - 1), st.binary(max_size=4)).map(
    lambda cut: VALID[: cut[0]] + cut[1] + VALID[cut[0] + 1 :]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((*ORDER, "type", "x")), inner, max_size=3)
    ),
)
twisted = st.tuples(st.sampled_from((*ORDER, "type")), json_values).map(
    lambda field: msgspec.json.encode({**ORDER, field[0]: field[1]})
)
payloads = st.one_of(st.binary(max_size=200), broken, twisted, st.sampled_from(HOSTILE))


@given(value=payloads, platform=platforms)
@example(value=HOSTILE[2], platform=b"generic-json")
@example(value=HOSTILE[5], platform=b"generic-json")
@settings(max_examples=600, deadline=None)
def test_whatever_comes_is_translated_or_refused_and_what_is_translated_can_be_written(
    value: bytes, platform: bytes
) -> None:
    with suppress(PoisonError):
        for arrival in translate(record(value, platform=platform), REFERENCE):
            written = msgspec.json.encode(arrival.command)
            assert msgspec.json.decode(written, type=type(arrival.command)) == arrival.command


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("platform", [b"generic-json", b"generic-csv"])
def test_hostile_payloads_raise_nothing_but_poison(value: bytes, platform: bytes) -> None:
    with suppress(PoisonError):
        translated(value, platform=platform)


def test_a_digest_of_a_receiver_does_not_see_case_and_spaces() -> None:
    assert receiver_digest("138", "1 Main St") == receiver_digest("138", " 1  main st")
    assert receiver_digest("138", "1 Main St") != receiver_digest("1381", "Main St")
    assert receiver_digest("", "") == ""


def test_a_shop_map_names_pools_and_a_bad_one_is_named_itself(tmp_path: Path) -> None:
    path = tmp_path / "shops.json"
    path.write_text('{"s1": "brand"}')
    assert read_shop_pools(str(path)) == {"s1": "brand"}
    assert read_shop_pools("") == {}
    path.write_text('{"s1": "a|b"}')
    with pytest.raises(SettingsError, match=r"HOLDFAST_SHOP_POOLS_FILE: .*shops.json: .*regex"):
        read_shop_pools(str(path))
    with pytest.raises(SettingsError, match=r"HOLDFAST_SHOP_POOLS_FILE: .*absent.json"):
        read_shop_pools(str(tmp_path / "absent.json"))


DAY_MS = 24 * 60 * 60 * 1000
CAME_MS = 1_490_000_000_000


def dated(appended_ms: int, **dates: int) -> Record:
    """Give a record with an order, or with news where `at` is given, that came at a time."""
    news = {"type": "payment", "paid_minor": 1}
    order = {"status": "paid", "lines": [{"line_id": "1", "sku": "A", "quantity": 1, "unit_price_minor": 1}]}
    fields = {"channel": "web", "shop_id": "s1", "order_id": "A-1", **(news if "at" in dates else order), **dates}
    return record(json_bytes(fields))._replace(timestamp_ms=appended_ms)


@pytest.mark.parametrize(
    ("dates", "field"),
    [
        ({"created_at": CAME_MS, "updated_at": CAME_MS + DAY_MS + 1}, "updated_at"),
        ({"created_at": CAME_MS + DAY_MS + 1}, "updated_at"),
        ({"created_at": CAME_MS + 1, "updated_at": CAME_MS - DAY_MS}, "created_at"),
        ({"at": CAME_MS + DAY_MS + 1}, "at"),
    ],
)
def test_what_is_dated_more_than_a_day_ahead_is_refused_with_the_field(dates: dict[str, int], field: str) -> None:
    with pytest.raises(PoisonError) as caught:
        translate(dated(CAME_MS, **dates), REFERENCE)
    assert (caught.value.reason, caught.value.field) == ("INVALID", field)


@pytest.mark.parametrize("dates", [{"created_at": CAME_MS + DAY_MS}, {"at": CAME_MS + DAY_MS}, {"created_at": 1}])
def test_a_day_ahead_and_any_time_before_is_taken(dates: dict[str, int]) -> None:
    assert len(translate(dated(CAME_MS, **dates), REFERENCE)) == 1


def test_without_a_brokers_time_a_date_is_only_compared_with_the_other() -> None:
    assert len(translate(dated(0, created_at=CAME_MS), REFERENCE)) == 1
