"""Changelogs and acknowledgements are read from bytes made by hand, as their formats are written down."""

from __future__ import annotations

import struct
import zlib

import msgspec
import pytest

from loadtest.oracle.changelogs import changelog, page_entries
from loadtest.oracle.noted import acks
from loadtest.oracle.traces import Ack

ORDER = "0123456789abcdef0123456789abcdef"
pack = msgspec.msgpack.encode


def page(**entries: object) -> bytes:
    """Make a page of keys that are no ids."""
    return page_of("", dict(entries))


def page_of(order: str, entries: dict[str, object]) -> bytes:
    """Make a page of one block: an entry for each rest of a key that begins with `order`, an id or nothing."""
    head = bytes.fromhex(order)
    digests = b"".join(head[3::-1] or struct.pack("<I", zlib.crc32(b"\x01" + rest.encode())) for rest in entries)
    values = [pack(value) for value in entries.values()]
    lengths = bytes(map(len, entries)) + struct.pack(f"<{len(values)}H", *map(len, values))
    block = deflated(lengths + "".join(entries).encode() + b"".join(values))
    return pack([1000, digests, head[4:] * len(entries), struct.pack("<I", 0), block])


def deflated(plain: bytes) -> bytes:
    deflating = zlib.compressobj(wbits=-15)
    return deflating.compress(plain) + deflating.flush()


CHECKPOINT = pack({"next_offset": 7, "watermark_ms": 5, "forgotten_ms": {"receivers": 3}})


def test_a_page_gives_its_entries() -> None:
    assert list(page_entries(page_of(ORDER, {"-1": [1], "": [2]}))) == [(f"{ORDER}-1", pack([1])), (ORDER, pack([2]))]
    assert list(page_entries(page_of("", {"pool|sku": [3]}))) == [("pool|sku", pack([3]))]


def test_a_page_of_several_blocks_has_ids_first_and_then_the_others() -> None:
    ids = [f"{number:032x}" for number in range(70)]
    blocks = [
        deflated(struct.pack("<64B64H64s", *[0] * 64, *[1] * 64, bytes(range(64)))),
        deflated(struct.pack("<8B8H", *[0] * 6, 1, 2, *[1] * 8) + b"abb" + bytes(range(64, 72))),
    ]
    made = pack(
        [
            1000,
            struct.pack("<72I", *[0] * 70, 5, 6),
            b"".join(bytes.fromhex(one)[4:] for one in ids),
            struct.pack("<2I", 0, len(blocks[0])),
            b"".join(blocks),
        ]
    )
    assert list(page_entries(made)) == [(key, bytes((at,))) for at, key in enumerate([*ids, "a", "bb"])]


def test_what_is_outside_shadows_and_the_newer_page_counts() -> None:
    log = changelog(
        {
            b"!checkpoint": CHECKPOINT,
            b"!page:holds:9": page(a=1, b=1, c=1),
            b"!page:holds:10": page(b=2, d=3),
            b"holds:c": pack(4),
        }
    )
    assert log.entries == {"holds:a": pack(1), "holds:b": pack(2), "holds:c": pack(4), "holds:d": pack(3)}
    assert (log.next_offset, log.forgotten_ms, log.odd) == (7, {"receivers": 3}, ())


def test_nil_outside_a_page_hides_what_is_inside() -> None:
    log = changelog({b"!checkpoint": CHECKPOINT, b"!page:t:0": page(a=1), b"t:a": pack(None)})
    assert log.entries == {}


@pytest.mark.parametrize(
    "records",
    [
        {b"!page:t:0": b"\x91\x01"},
        {b"!page:t:0": pack([1, b"1234", b"", struct.pack("<I", 0), b"no deflate"])},
        {b"!page:t:0": pack([1, b"1234", b"", struct.pack("<I", 0), deflated(b"\x05\x00\x00ab")])},
        {b"!page:t:0": pack([1, b"1234", b"", struct.pack("<I", 0), deflated(b"\x01")])},
        {b"!page:t:0": pack([1, b"12345", b"", b"", b""])},
        {b"!page:t:0": pack([1, b"1234", b"", b"", b""])},
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
