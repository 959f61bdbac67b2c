"""Orders from a file: written, read again, and told where a line is wrong."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from loadtest.profiles import replay
from loadtest.profiles.recording import read_recording, write_recording
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

ORDER = '{"at_seconds": 1.5, "key": "A-1", "value": "{}"}\n'
WRONG = {
    "nonsense\n": "line 2: JSON is malformed",
    '{"at_seconds": 1.5, "key": \n': "line 2: Input data was truncated",
    '{"key": "A-1"}\n': "line 2: Object missing required field `at_seconds`",
    '{"at_seconds": -1}\n': "line 2: at_seconds: Expected `float` >= 0.0",
    '{"at_seconds": 1, "value": 7}\n': "line 2: value: Expected `str | object | null`, got `int`",
    '{"at_seconds": 1, "value": {"base64": "*"}}\n': "line 2: value.base64: Invalid base64 encoded string",
    '{"at_seconds": 1, "values": ""}\n': "line 2: Object contains unknown field `values`",
    "\n": "line 2: Input data was truncated",
}


class Record:
    """A record as a consumer gives it."""

    def __init__(self, at_ms: int, offset: int, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        self._at_ms, self._offset, self._value, self._headers = at_ms, offset, value, headers

    def timestamp(self) -> tuple[int, int]:
        return 1, self._at_ms

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return b"A-1"

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> list[tuple[str, bytes]]:
        return self._headers


def test_what_was_recorded_is_read_again_by_time_and_as_fast_as_wanted(tmp_path: Path) -> None:
    records = [
        Record(9_000, 1, b"\xff\x00", [("platform", b"shopify"), ("intended-ms", b"17")]),
        Record(5_000, 2, b'{"order_id": "A-1"}', [("expect", b"signed"), ("shop", b"s7"), ("digest", b"\xfe")]),
        Record(9_000, 0, None, []),
    ]
    file = io.BytesIO()
    assert write_recording(records, file) == 3  # type: ignore[arg-type]
    path = tmp_path / "orders.jsonl"
    path.write_bytes(file.getvalue())
    first, second, third = read_recording(path, speed=2.0)
    assert [record.offset_seconds for record in (first, second, third)] == [0.0, 2.0, 2.0]
    assert (first.value, first.expect, first.platform) == (b'{"order_id": "A-1"}', "signed", "generic-json")
    assert first.headers == (("shop", b"s7"), ("digest", b"\xfe"))
    assert (second.value, second.key) == (None, b"A-1")
    assert (third.value, third.platform, third.headers) == (b"\xff\x00", "shopify", ())


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_line_is_told_with_its_file_its_number_its_field_and_why(line: str, tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    path.write_text(ORDER + line)
    with pytest.raises(SettingsError) as told:
        read_recording(path, 1.0)
    assert str(told.value).startswith(f"{path}: {WRONG[line]}")


def test_a_file_without_records_or_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(SettingsError, match="there is no record in it"):
        read_recording(tmp_path / "empty", 1.0)
    with pytest.raises(SettingsError, match="No such file"):
        read_recording(tmp_path / "nowhere", 1.0)


def test_a_recording_gets_shelves_with_what_its_orders_ask_for(tmp_path: Path) -> None:
    order = (
        '{\\"channel\\": \\"web\\", \\"shop_id\\": \\"s1\\", \\"order_id\\": \\"A-%d\\", \\"buyer_id\\": \\"b\\", '
        '\\"lines\\": [{\\"sku\\": \\"x\\", \\"quantity\\": 3}]}'
    )
    lines = [f'{{"at_seconds": {place}, "key": "A", "value": "{order % place}"}}\n' for place in (1, 2, 2)]
    path = tmp_path / "orders.jsonl"
    path.write_text("".join([*lines, '{"at_seconds": 9, "key": "B", "value": "not an order"}\n']))
    plan = replay.make_plan(read_recording(path, 1.0), 7, 1)
    units = sum(line.units for delivery in plan.deliveries for line in delivery.units if line.sku == "x")
    assert (plan.orders, len(plan.scenario.records), len(plan.pools)) == (2, 4, 1)
    assert 6 <= units <= 8
