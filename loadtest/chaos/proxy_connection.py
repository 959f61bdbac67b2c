"""One connection through the proxy: two directions, each carried piece by piece under the rules in force."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, Protocol

from loadtest.chaos.proxy_frames import ANSWER_HEAD, LENGTH_BYTES, REQUEST_HEAD, Frames

if TYPE_CHECKING:
    from loadtest.chaos.proxy_frames import Piece
    from loadtest.chaos.proxy_rules import Counts, Filter, Rules

READ_BYTES_MAX = 256 * 1024
THROTTLED_PARTS_PER_SECOND = 10
LATE_LINGER_SECONDS = 1.0
"""How long the broker's side stays open after a late request: the broker drops what it has not read of a closed one."""
Side = Literal["request", "answer"]
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Ruled(Protocol):
    """The part of the proxy that a connection knows."""

    counts: Counts

    async def until_changed(self) -> None:
        """Wait for new rules."""


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that the other end sees it reset."""
    own = writer.get_extra_info("socket")
    if own is not None:
        with suppress(OSError):
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class _EndedError(Exception):
    """This direction carries nothing any more."""


class Connection:
    """A client's connection and its twin to the broker."""

    def __init__(self, ruled: Ruled, rules: Rules, client: Stream, broker: Stream) -> None:
        self.rules = rules
        self._ruled = ruled
        self._client = client
        self._broker = broker
        self._asked: dict[int, int] = {}
        self._is_dropping: dict[Side, bool] = {"request": False, "answer": False}

    async def serve(self) -> None:
        """Carry both directions until one side closes. What the client sent before it closed is still delivered."""
        up = asyncio.create_task(self._carry("request", self._client[0], self._broker[1]))
        down = asyncio.create_task(self._carry("answer", self._broker[0], self._client[1]))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            if down.done() and not self._broker[0].at_eof():
                await up  # only the client is gone
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.wait((up, down))
            for _, writer in (self._client, self._broker):
                writer.transport.abort()

    def reset(self) -> None:
        """End the connection at once, on both sides."""
        for _, writer in (self._client, self._broker):
            reset(writer)

    async def _carry(self, side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames(REQUEST_HEAD if side == "request" else ANSWER_HEAD)
        with suppress(OSError, ValueError, _EndedError):
            while chunk := await reader.read(self._read_bytes()):
                ready: list[memoryview] = []
                for piece in frames.feed(chunk):
                    if piece.head:
                        met = self._meets(side, piece)
                        self._is_dropping[side] = False
                        if met is not None:
                            await self._send(side, writer, ready)
                            ready = []
                            await self._do(side, met, piece, writer)
                    if not self._is_dropping[side]:
                        ready.append(piece.body)
                await self._send(side, writer, ready)

    def _read_bytes(self) -> int:
        limit = self.rules.bytes_per_second // THROTTLED_PARTS_PER_SECOND
        return max(1, min(limit, READ_BYTES_MAX)) if self.rules.bytes_per_second else READ_BYTES_MAX

    def _meets(self, side: Side, piece: Piece) -> Filter | None:
        """Give the filter that this frame meets, counted; remember a request until its answer comes."""
        if side == "request":
            _, api_key, _, correlation = piece.head
            self._asked[correlation] = api_key
            self._ruled.counts.requests += self.rules.watched
        else:
            api_key = self._asked.pop(piece.head[1], -1)
        for one in self.rules.filters:
            name = f"{side} {api_key} {one.deed}"
            frames = self._ruled.counts.frames
            is_whole = len(piece.body) == piece.head[0] + LENGTH_BYTES  # only then can it be sent on by itself, late
            is_meant = one.side == side and api_key in one.api_keys and (is_whole or one.deed != "late")
            if is_meant and not 0 < one.hits_max <= frames.get(name, 0):
                frames[name] = frames.get(name, 0) + 1
                return one
        return None

    async def _do(self, side: Side, met: Filter, piece: Piece, writer: asyncio.StreamWriter) -> None:
        """Do to a frame what its filter says."""
        self._is_dropping[side] = met.deed == "drop"
        if met.deed == "delay":
            await asyncio.sleep(met.delay_ms / 1000)
        elif met.deed == "reset":
            self._ruled.counts.resets += 1
            self.reset()
            raise _EndedError
        elif met.deed == "late":
            self._ruled.counts.resets += 1
            reset(self._client[1])
            await asyncio.sleep(met.delay_ms / 1000)
            writer.write(piece.body)
            await writer.drain()
            await asyncio.sleep(LATE_LINGER_SECONDS)
            raise _EndedError

    async def _send(self, side: Side, writer: asyncio.StreamWriter, pieces: list[memoryview]) -> None:
        """Send pieces on when the rules let them."""
        size = sum(map(len, pieces))
        if not size:
            return
        counts = self._ruled.counts
        delay_ms = self.rules.delay_up_ms if side == "request" else self.rules.delay_down_ms
        if delay_ms:
            counts.bytes_delayed += size
            await asyncio.sleep(delay_ms / 1000)
        while self.rules.hold_up if side == "request" else self.rules.hold_down:
            self._ruled.counts.bytes_held += size
            await self._ruled.until_changed()
        if self.rules.bytes_per_second:
            counts.bytes_throttled += size
            await asyncio.sleep(size / self.rules.bytes_per_second)
        writer.writelines(pieces)
        await writer.drain()
