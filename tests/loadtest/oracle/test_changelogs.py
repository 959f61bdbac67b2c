"""Changelogs and acknowledgements are read from bytes made by hand, as their formats are written down."""

from __future__ import annotations

import struct

import msgspec
import pytest

from loadtest.oracle.changelogs import changelog, page_entries
from loadtest.oracle.noted import acks
from loadtest.oracle.traces import Ack

ORDER = "0123456789abcdef0123456789abcdef"
pack = msgspec.msgpack.encode


def entry(key: bytes, value: object) -> bytes:
    packed = pack(value)
    return bytes((len(key),)) + key + struct.pack("<H", len(packed)) + packed


def page(*entries: bytes, shuffled: bool = False) -> bytes:
    starts = [sum(map(len, entries[:place])) for place in range(len(entries))]
    if shuffled:
        starts.reverse()
    return pack([1000, b"", struct.pack(f"<{len(starts)}I", *starts), b"".join(entries)])


HEX_KEY = b"\x00" + bytes.fromhex(ORDER)
CHECKPOINT = pack({"next_offset": 7, "watermark_ms": 5, "forgotten_ms": {"receivers": 3}})


def test_a_page_gives_its_entries_in_the_order_of_the_blob() -> None:
    made = page(entry(HEX_KEY + b"-1", [1]), entry(b"\x01pool|sku", [2]), shuffled=True)
    assert list(page_entries(made)) == [(f"{ORDER}-1", pack([1])), ("pool|sku", pack([2]))]


def test_what_is_outside_shadows_and_the_newer_page_counts() -> None:
    log = changelog(
        {
            b"!checkpoint": CHECKPOINT,
            b"!page:holds:9": page(entry(b"\x01a", 1), entry(b"\x01b", 1), entry(b"\x01c", 1)),
            b"!page:holds:10": page(entry(b"\x01b", 2), entry(b"\x01d", 2), entry(b"\x01d", 3)),
            b"holds:c": pack(4),
        }
    )
    assert log.entries == {"holds:a": pack(1), "holds:b": pack(2), "holds:c": pack(4), "holds:d": pack(3)}
    assert (log.next_offset, log.forgotten_ms, log.odd) == (7, {"receivers": 3}, ())


def test_nil_outside_a_page_hides_what_is_inside() -> None:
    log = changelog({b"!checkpoint": CHECKPOINT, b"!page:t:0": page(entry(b"\x01a", 1)), b"t:a": pack(None)})
    assert log.entries == {}


@pytest.mark.parametrize(
    "records",
    [
        {b"!page:t:0": b"\x91\x01"},
        {b"!page:t:0": pack([1, b"", struct.pack("<I", 0), b"\x05ab"])},
        {b"!page:t:0": pack([1, b"", struct.pack("<I", 90), b"\x01a\x00\x00"])},
        {b"!nobody-knows": b""},
        {b"!checkpoint": b"\xc1"},
    ],
)
def test_what_makes_no_sense_is_reported(records: dict[bytes, bytes]) -> None:
    assert len(changelog({b"!checkpoint": CHECKPOINT, **records}).odd) == 1


def test_a_missing_checkpoint_is_reported() -> None:
    assert changelog({b"t:a": pack(1)}).odd == ("there is no checkpoint",)


@pytest.mark.parametrize("key", [None, "k", "k" * 40, "k" * 300])
@pytest.mark.parametrize("number", [0, 127, 128, 255, 70_000, 1 << 40])
def test_acknowledgements_are_read_one_after_the_other_up_to_one_that_is_cut(key: str | None, number: int) -> None:
    one = pack(("orders.raw", 3, number, key))
    assert list(acks(one + one + one[:-1])) == [Ack("orders.raw", 3, number, key)] * 2


@pytest.mark.parametrize("packed", [b"\x93\x01\x02\x03", pack((1, 2, 3, None)), b"\x94\xcb"])
def test_what_is_no_acknowledgement_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"byte|acknowledgement"):
        list(acks(packed))
