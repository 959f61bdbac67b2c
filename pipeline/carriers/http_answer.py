"""Reads an answer in HTTP/1: a head, and a body that is counted or comes in chunks. Pure.

Source: RFC 9112, sections 4, 6 and 7.1. A body that only ends with its connection is not read: it may be cut short.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import msgspec

from pipeline.errors import TransientError

HTTP_OK = 200
HEAD_BYTES_MAX = 16 * 1024
CHUNK_HEAD_BYTES_MAX = 256
HEADS_MAX = 128
"""Heads that are kept as they were read: 2 MiB at most."""
NO_HTTP = "the answer is none in HTTP, or does not say where it ends"
_STATUS = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})[ \r]")
_FRAMING = re.compile(
    rb"\r\n(content-length|transfer-encoding|connection):[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)", re.IGNORECASE
)
_LENGTH = re.compile(rb"[0-9]{1,15}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[^\r\n]*)?\r\n")
_NEWLINE, _END = b"\r\n", b"\r\n\r\n"


class HttpAnswer(msgspec.Struct, frozen=True):
    """An answer. `body` is read for status 200 alone; `keeps`: the connection stands ready for another request."""

    status: int
    body: bytes
    keeps: bool


class _Head(NamedTuple):
    """What a head says. `length` of the body; None: it comes in chunks."""

    status: int
    length: int | None
    keeps: bool


def read_answer(received: bytes, body_bytes_max: int) -> HttpAnswer | None:
    """Read the answer to one request, or give None while part of it is missing.

    Raises TransientError for what is no answer in HTTP/1, does not say where it ends, or has too large a body.
    """
    start = received.find(_END) + len(_END)
    if start < len(_END):
        if len(received) > HEAD_BYTES_MAX:
            raise TransientError(NO_HTTP)
        return None
    head = _read_head(received[:start])
    if head.status != HTTP_OK:
        return HttpAnswer(head.status, b"", keeps=False)
    if head.length is None:
        body, end = _unchunked(received, start, body_bytes_max)
        return None if body is None else HttpAnswer(HTTP_OK, body, head.keeps and end == len(received))
    if head.length > body_bytes_max:
        raise _too_large(body_bytes_max)
    end = start + head.length
    if len(received) < end:
        return None
    return HttpAnswer(HTTP_OK, received[start:end], head.keeps and end == len(received))


@lru_cache(HEADS_MAX)
def _read_head(head: bytes) -> _Head:
    """Read a head. Servers repeat theirs but for the date and the length, so most are known."""
    status = _STATUS.match(head)
    if status is None:
        raise TransientError(NO_HTTP)
    if int(status[2]) != HTTP_OK:
        return _Head(int(status[2]), 0, keeps=False)
    fields: dict[bytes, bytes] = {}
    for written, value in _FRAMING.findall(head):
        name = written.lower()
        fields[name] = b"%b,%b" % (fields[name], value.lower()) if name in fields else value.lower()
    keeps = status[1] == b"1" and b"close" not in fields.get(b"connection", b"")
    length = fields.get(b"content-length")
    if fields.get(b"transfer-encoding") == b"chunked" and length is None:
        return _Head(HTTP_OK, None, keeps)
    if b"transfer-encoding" in fields or length is None or not _LENGTH.fullmatch(length):
        raise TransientError(NO_HTTP)
    return _Head(HTTP_OK, int(length), keeps)


def _unchunked(received: bytes, start: int, body_bytes_max: int) -> tuple[bytes | None, int]:
    """Join the chunks. Trailer fields, which may follow the last one, are not read: then the end is unknown, `-1`."""
    pieces, size_bytes = [], 0
    while head := _CHUNK.match(received, start):
        start = head.end() + int(head[1], 16)
        pieces.append(received[head.end() : start])
        size_bytes += int(head[1], 16)
        if size_bytes > body_bytes_max:
            raise _too_large(body_bytes_max)
        if len(received) < start + len(_NEWLINE):
            return None, -1
        ended = received.startswith(_NEWLINE, start)
        if int(head[1], 16) == 0:
            return b"".join(pieces), start + len(_NEWLINE) if ended else -1
        if not ended:
            raise TransientError(NO_HTTP)
        start += len(_NEWLINE)
    if len(received) - start > CHUNK_HEAD_BYTES_MAX:
        raise TransientError(NO_HTTP)
    return None, -1


def _too_large(body_bytes_max: int) -> TransientError:
    return TransientError(f"the answer is larger than {body_bytes_max} bytes")
