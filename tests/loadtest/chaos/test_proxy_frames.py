"""Kafka's frames are found in a stream however it is cut."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.chaos.proxy_frames import ANSWER_HEAD, END_TXN, REQUEST_HEAD, Frames

FRAMES = st.lists(st.binary(min_size=8, max_size=60), max_size=8)
CUTS = st.lists(st.integers(1, 40), max_size=60)


def stream_of(bodies: list[bytes]) -> bytes:
    return b"".join(struct.pack(">i", len(body)) + body for body in bodies)


def chunks_of(stream: bytes, cuts: list[int]) -> list[bytes]:
    chunks = []
    for cut in cuts:
        chunks.append(stream[:cut])
        stream = stream[cut:]
    return [chunk for chunk in (*chunks, stream) if chunk]


@given(FRAMES, CUTS)
def test_nothing_is_lost_or_changed_and_every_frame_is_seen_once(bodies: list[bytes], cuts: list[int]) -> None:
    stream = stream_of(bodies)
    frames = Frames(REQUEST_HEAD)
    pieces = [piece for chunk in chunks_of(stream, cuts) for piece in frames.feed(chunk)]
    assert b"".join(bytes(piece.body) for piece in pieces) == stream
    heads = [piece.head for piece in pieces if piece.head]
    assert heads == [(len(body), *struct.unpack_from(">hhi", body)) for body in bodies]


def test_a_request_tells_its_api_key_and_an_answer_its_request() -> None:
    request = stream_of([struct.pack(">hhi", END_TXN, 1, 77) + b"rest"])
    answer = stream_of([struct.pack(">i", 77) + b"\0\0"])
    assert [piece.head[1] for piece in Frames(REQUEST_HEAD).feed(request)] == [END_TXN]
    assert [piece.head[1] for piece in Frames(ANSWER_HEAD).feed(answer)] == [77]


def test_a_stream_that_is_not_kafkas_is_refused() -> None:
    with pytest.raises(ValueError, match="no Kafka connection"):
        list(Frames(REQUEST_HEAD).feed(b"GET / HTTP/1.1\r\n\r\n"))
