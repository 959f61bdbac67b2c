"""Forms come in by the short way or by aiohttp's server: the caller cannot tell which."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from pipeline.carriers.http_answer import read_answer
from pipeline.carriers.sandbox_lanes import PIPELINED_BYTES_MAX, REQUEST_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.carriers.conftest import Sandbox

FORM = b"partnerID=P"
POST = b"POST /std/service HTTP/1.1\r\nHost: h\r\n"
COUNTED = b"Content-Length: %d\r\n\r\n%b" % (len(FORM), FORM)
PLAIN = POST + COUNTED
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(FORM), FORM)
SHOW = b"GET /control HTTP/1.1\r\nHost: h\r\n\r\n"
DEADLINE_SECONDS = 10.0


def converse(sandbox: Sandbox, pieces: Sequence[bytes], answers: int) -> list[bytes]:
    """Send the pieces over one connection and give the bodies of so many answers."""
    place = urlsplit(sandbox.url)
    bodies: list[bytes] = []
    received = b""
    with socket.create_connection((place.hostname, place.port), DEADLINE_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        while len(bodies) < answers:
            answer = read_answer(received, REQUEST_BYTES_MAX)
            if answer is None:
                more = connection.recv(65536)
                assert more
                received += more
                continue
            bodies.append(answer.body)
            received = received[received.index(b"\r\n\r\n") + 4 + len(answer.body) :]
    return bodies


@pytest.mark.parametrize(
    "pieces",
    [
        [PLAIN],
        [PLAIN[:-3], PLAIN[-3:]],
        [PLAIN[:10], PLAIN[10:]],
        [CHUNKED],
        [POST + b"Connection: keep-alive\r\n" + COUNTED],
        [POST.replace(b"service", b"service?x=1") + COUNTED],
    ],
)
def test_a_form_is_answered_however_it_comes(quiet_sandbox: Sandbox, pieces: list[bytes]) -> None:
    (body,) = converse(quiet_sandbox, pieces, 1)
    assert b'"apiResultCode":"A1001"' in body


def test_a_connection_serves_all_that_comes_over_it(quiet_sandbox: Sandbox) -> None:
    bodies = converse(quiet_sandbox, [PLAIN + PLAIN, PLAIN, CHUNKED, SHOW, PLAIN], 6)
    assert [b"A1001" in body for body in bodies] == [True] * 6
    assert b'"counters"' in bodies[4]


def test_a_form_that_is_too_large_is_refused(quiet_sandbox: Sandbox) -> None:
    place = urlsplit(quiet_sandbox.url)
    with socket.create_connection((place.hostname, place.port), DEADLINE_SECONDS) as connection:
        connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % (REQUEST_BYTES_MAX + 1))
        connection.sendall(b" " * (REQUEST_BYTES_MAX + 1))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_who_sends_on_and_on_without_waiting_is_hung_up_on(quiet_sandbox: Sandbox) -> None:
    many = [PLAIN * (PIPELINED_BYTES_MAX // len(PLAIN))] * 1000
    with pytest.raises(ConnectionError):
        converse(quiet_sandbox, many, 0)
