"""Where requests and answers begin in a TCP stream of the Kafka protocol.

A request is `int32 length, int16 API key, int16 API version, int32 correlation id, …`, an answer is `int32 length,
int32 correlation id, …`; the length does not count itself. Source: the protocol guide of Apache Kafka, "Common Request
and Response Structure".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PRODUCE = 0
ADD_OFFSETS_TO_TXN = 25
END_TXN = 26
TXN_OFFSET_COMMIT = 28
REQUEST_HEAD = struct.Struct(">ihhi")
ANSWER_HEAD = struct.Struct(">ii")
LENGTH_BYTES = 4
FRAME_BYTES_MAX = 128 * 1024 * 1024
"""Kafka's own limit of a request (`socket.request.max.bytes`) is 100 MiB."""


class Piece(NamedTuple):
    """A part of a frame, as it came in. `head`: the numbers of the frame's header where one begins, else empty.

    Of a request: length, API key, API version, correlation id; of an answer: length, correlation id.
    """

    head: tuple[int, ...]
    body: memoryview


class Frames:
    """Cuts one way of a connection where frames begin. It holds back the bytes of a header that is not whole."""

    def __init__(self, head: struct.Struct) -> None:
        """Take `REQUEST_HEAD` for what a client sends, `ANSWER_HEAD` for what the broker answers."""
        self._head = head
        self._rest_bytes = 0
        self._begun = b""

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """Give the pieces of what came in, in order; joined, they are what came in. Raises ValueError: not Kafka."""
        if self._begun:
            chunk, self._begun = self._begun + chunk, b""
        view = memoryview(chunk)
        while view:
            if self._rest_bytes:
                head: tuple[int, ...] = ()
                size = min(self._rest_bytes, len(view))
                self._rest_bytes -= size
            elif len(view) < self._head.size:
                self._begun = bytes(view)
                return
            else:
                head = self._head.unpack_from(view)
                frame = head[0] + LENGTH_BYTES
                if not self._head.size <= frame <= FRAME_BYTES_MAX:
                    message = f"a frame of {frame} bytes: this is no Kafka connection"
                    raise ValueError(message)
                size = min(frame, len(view))
                self._rest_bytes = frame - size
            yield Piece(head, view[:size])
            view = view[size:]
