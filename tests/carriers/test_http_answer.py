from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.carriers.http_answer import CHUNK_HEAD_BYTES_MAX, HEAD_BYTES_MAX, HttpAnswer, read_answer
from pipeline.errors import TransientError

BYTES_MAX = 64
COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
KEPT, LAST = HttpAnswer(200, b"{}", keeps=True), HttpAnswer(200, b"{}", keeps=False)


@pytest.mark.parametrize(
    ("received", "answer"),
    [
        (COUNTED, KEPT),
        (b"HTTP/1.1 200 \r\nServer: nginx\r\ncontent-length:2\t\r\nDate: x\r\n\r\n{}", KEPT),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Close\r\n\r\n{}", LAST),
        (b"HTTP/1.1 200 OK\r\nConnection: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", LAST),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", LAST),
        (COUNTED + b"H", LAST),
        (CHUNKED + b"1\r\n{\r\n01;x=y\r\n}\r\n0\r\n\r\n", KEPT),
        (CHUNKED + b"2\r\n{}\r\n0\r\nTrailer: 1\r\n\r\n", LAST),
        (CHUNKED + b"2\r\n{}\r\n0\r\n\r\nH", LAST),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", HttpAnswer(503, b"", keeps=False)),
        (b"HTTP/1.1 302\r\nLocation: /\r\nContent-Length: 2\r\n\r\n{}", HttpAnswer(302, b"", keeps=False)),
    ],
)
def test_an_answer_is_read_with_whether_another_can_follow(received: bytes, answer: HttpAnswer) -> None:
    assert read_answer(received, BYTES_MAX) == answer


@pytest.mark.parametrize("whole", [COUNTED, CHUNKED + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"])
def test_part_of_an_answer_is_none_yet(whole: bytes) -> None:
    assert [read_answer(whole[:size], BYTES_MAX) for size in range(len(whole))] == [None] * len(whole)


@pytest.mark.parametrize(
    "received",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b" " * (HEAD_BYTES_MAX + 1),
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\r\n\r\n{}",
        *(b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n{}" % length for length in (b"", b"-2", b"+2", b"2, 2", b"x")),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"2\r\n{}}}0\r\n\r\n",
        CHUNKED + b"g" * (CHUNK_HEAD_BYTES_MAX + 1),
    ],
)
def test_what_is_no_answer_is_refused(received: bytes) -> None:
    with pytest.raises(TransientError, match="none in HTTP"):
        read_answer(received, BYTES_MAX)


@pytest.mark.parametrize(
    "received",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n",
        CHUNKED + b"41\r\n",
        CHUNKED + b"40\r\n" + b" " * 64 + b"\r\n1\r\n",
    ],
)
def test_a_body_that_is_too_large_is_not_waited_for(received: bytes) -> None:
    with pytest.raises(TransientError, match="larger than 64 bytes"):
        read_answer(received, BYTES_MAX)


@given(st.binary() | st.binary().map(CHUNKED.__add__) | st.binary().map(COUNTED[:-6].__add__))
def test_whatever_comes_is_an_answer_or_is_refused(received: bytes) -> None:
    try:
        answer = read_answer(received, BYTES_MAX)
    except TransientError:
        return
    assert answer is None or len(answer.body) <= BYTES_MAX


@given(st.lists(st.binary(min_size=1, max_size=8), max_size=8))
def test_chunks_are_joined(chunks: list[bytes]) -> None:
    sent = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    assert read_answer(sent, BYTES_MAX) == HttpAnswer(200, b"".join(chunks), keeps=True)
