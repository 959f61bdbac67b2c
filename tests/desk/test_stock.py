"""What the stock command line and a file of lines make of what people write; that the stage takes it, its tests say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.desk import stock
from pipeline.desk.stock_lines import read_lines
from pipeline.domain.commands import AdjustStock, ReceiveStock
from pipeline.domain.orders import SkuUnits, SubPool
from pipeline.domain.stock_commands import CountStock, DefineBundle, OpenFlash, SetSafety, TransferStock
from pipeline.errors import HoldfastError

if TYPE_CHECKING:
    from pathlib import Path

AT = 1_700_000_000_000


def made(text: str) -> Any:  # noqa: ANN401
    return stock._feed(stock._parser().parse_args(text.split()), AT)  # noqa: SLF001  the arguments as a user gives them


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (
            "receive P w1 A=2 B=3 A=1",
            ReceiveStock(
                at=AT, pool="P", feed_id=f"receive-{AT}", warehouse="w1", units=(SkuUnits("A", 3), SkuUnits("B", 3))
            ),
        ),
        (
            "--feed-id f --at 5 count P w1 A 0",
            CountStock(at=5, pool="P", feed_id="f", warehouse="w1", sku="A", counted_units=0),
        ),
        (
            "adjust P w1 A -2 --reason broken",
            AdjustStock(
                at=AT, pool="P", feed_id=f"adjust-{AT}", warehouse="w1", sku="A", change_units=-2, reason="broken"
            ),
        ),
        (
            "transfer P A 5 --from stock --to safety",
            TransferStock(
                at=AT,
                pool="P",
                feed_id=f"transfer-{AT}",
                sku="A",
                units=5,
                from_pool=SubPool.STOCK,
                to_pool=SubPool.SAFETY,
            ),
        ),
        (
            "flash P 618 A 5 --opens 2023-11-15T06:13:20+08:00 --closes 1700003600000 --per-buyer 1",
            OpenFlash(
                at=AT,
                pool="P",
                flash_id="618",
                sku="A",
                units=5,
                opens_at=AT,
                closes_at=AT + 3_600_000,
                per_buyer_max=1,
            ),
        ),
        ("bundle P A", DefineBundle(at=AT, pool="P", feed_id=f"bundle-{AT}", sku="A", parts=())),
        (
            "safety P A --lead-days 3",
            SetSafety(at=AT, pool="P", feed_id=f"safety-{AT}", sku="A", lead_days=3),
        ),
    ],
)
def test_a_command_line_is_one_feed(text: str, command: Any) -> None:  # noqa: ANN401
    assert made(text).command == command


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("count P w1 A -3", "count: counted_units: Expected `int` >= 0"),
        ("receive P w1 A", "A: wants SKU=UNITS"),
        ("receive P w1 A=0", "receive: units: A must be above 0"),
        ("receive a|b w1 A=1", "receive: pool: Expected `str` matching"),
        ("transfer P A 5 --from stock --to nowhere", "transfer: to_pool: Invalid enum value 'nowhere'"),
        ("transfer P A 5 --from stock --to stock", "transfer: to_pool: is the one that they come from"),
        ("flash P f A 5 --opens 9 --closes 9", "flash: closes_at: 9 is not after it opens"),
        ("safety P A --lead-days 999", "safety: lead_days: Expected `int` <= 365"),
        ("bundle P A B=-1", "bundle: parts: B must be above 0"),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str) -> None:
    with pytest.raises(HoldfastError) as refused:
        made(text)
    assert str(refused.value).startswith(says)


GOOD = '{"feed": "receive", "pool": "P", "warehouse": "w1", "units": {"A": 2}}\n'


def read(path: Path, text: str) -> Any:  # noqa: ANN401
    path.write_text(text)
    return read_lines(path, AT)


def test_a_file_of_lines_is_as_many_feeds_whose_ids_are_the_same_the_next_time(tmp_path: Path) -> None:
    text = GOOD + "\n" + '{"feed": "count", "pool": "P", "warehouse": "w1", "sku": "A", "counted_units": 3, "at": 7}\n'
    first, second = read(tmp_path / "f", text)
    assert (first.command.units, second.command.at) == ((SkuUnits("A", 2),), 7)
    assert first.feed_id != second.feed_id
    assert [feed.feed_id for feed in read(tmp_path / "g", text)] == [first.feed_id, second.feed_id]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2: Input data was truncated"),
        ("[]", "line 2: Expected `object`, got `array`"),
        ("{}", "line 2: feed: one of warehouse, receive"),
        ('{"feed": ["x"]}', "line 2: feed: one of"),
        ('{"feed": "count", "pool": "P"}', "line 2: Object missing required field `warehouse`"),
        (GOOD.replace("units", "unit"), "line 2: unit: there is no such field"),
        (GOOD.replace("2}", "-2}"), "line 2: units: A must be above 0 (it is -2)"),
        (GOOD.replace('{"A": 2}', "{}"), "line 2: units: there are none"),
        (GOOD.replace('"A"', '""'), "line 2: units: a SKU has no name"),
        (GOOD.replace("2}", "2.5}"), "line 2: units[0][1]: Expected `int`"),
        (GOOD.replace('"P"', '"P", "at": -1'), "line 2: at: Expected `int` >= 0"),
        (GOOD.replace('"P"', '"P", "feed_id": ""'), "line 2: feed_id: must not be empty"),
        (GOOD.replace('"P"', '"P", "feed_id": "x"') * 2, "feed_id: x is there 2 times"),
    ],
)
def test_one_bad_line_refuses_the_file_and_is_named_with_its_field(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "feeds.jsonl"
    with pytest.raises(HoldfastError) as refused:
        read(path, GOOD + line)
    assert str(refused.value).startswith(f"{path}: {says}")


def test_a_file_with_nothing_in_it_or_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HoldfastError, match="there is nothing in it"):
        read(tmp_path / "f", "\n\n")
    with pytest.raises(HoldfastError, match="No such file"):
        read_lines(tmp_path / "nowhere", AT)
