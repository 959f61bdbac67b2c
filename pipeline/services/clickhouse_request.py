"""ClickHouse's HTTP interface, as far as it is served: a request becomes a statement, an error becomes a status.

Source: ClickHouse's manual, "HTTP interface"; the statuses are those of its `HTTPHandler`. Not served: sessions (a
`session_id` is taken and forgotten), external tables, ClickHouse's own block compression (`compress`, `decompress`).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

import lz4.frame  # type: ignore[import-untyped]

from pipeline.services.clickhouse_engine import NOT_IMPLEMENTED, EngineRefusal, Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BODY_BYTES_MAX = 256 * 1024 * 1024
"""A request's body, before and after it is decompressed."""
USER = "default"
AUTHENTICATION_FAILED = 516
TOO_LARGE = 341
UNKNOWN_COMPRESSION = 89
CANNOT_DECOMPRESS = 271
TRANSPORT = frozenset(
    {
        "buffer_size",
        "client_protocol_version",
        "compress",
        "database",
        "decompress",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "password",
        "query",
        "query_id",
        "quota_key",
        "role",
        "send_progress_in_http_headers",
        "session_check",
        "session_id",
        "session_timeout",
        "user",
        "wait_end_of_query",
    }
)
"""Words of the query string that are about the request itself and no settings of the engine."""
STATUSES: Mapping[int, int] = {
    **dict.fromkeys((6, 26, 27, 33, 38, 41, 42, 43, 44, 53, 62, 69, 70, 71, 72, 115, 457, 36), 400),
    AUTHENTICATION_FAILED: 403,
    **dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 78, 81), 404),
    159: 408,
    TOO_LARGE: 413,
    NOT_IMPLEMENTED: 501,
    **dict.fromkeys((209, 439), 503),
}
"""ClickHouse's error code to HTTP status; all others are 500."""
CONTENT_TYPES: Mapping[str, str] = {
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
}
PLAIN = "text/plain; charset=UTF-8"


def statement(parameters: Mapping[str, str], headers: Mapping[str, str], body: bytes, *, is_get: bool) -> Statement:
    """Read a request. The text of the statement is what the query string says, and then what the body says.

    Raises EngineRefusal for what is not served.
    """
    for word in ("compress", "decompress"):
        if parameters.get(word, "0") not in {"0", ""}:
            raise EngineRefusal(
                NOT_IMPLEMENTED, f"Code: 48. DB::Exception: {word}=1 is not served: use Content-Encoding"
            )
    text = parameters.get("query", "").encode()
    settings = {
        name: value for name, value in parameters.items() if name not in TRANSPORT and not name.startswith("param_")
    }
    if parameters.get("query_id"):
        # The engine gives its own ids; the comment is where a client finds its statement in system.processes.
        settings.setdefault("log_comment", parameters["query_id"])
    return Statement(
        text=text + b"\n" + body if text and body else text or body,
        output_format=parameters.get("default_format") or headers.get("X-ClickHouse-Format") or "TabSeparated",
        database=parameters.get("database") or headers.get("X-ClickHouse-Database", ""),
        settings=settings,
        parameters={
            name.removeprefix("param_"): value for name, value in parameters.items() if name.startswith("param_")
        },
        is_readonly=is_get,
    )


def decompressed(body: bytes, encoding: str) -> bytes:
    """Undo a body's Content-Encoding, up to BODY_BYTES_MAX. Raises EngineRefusal."""
    match encoding:
        case "" | "identity":
            return body
        case "gzip" | "deflate":
            begin: Callable[[], Any] = partial(zlib.decompressobj, zlib.MAX_WBITS | 32)
        case "lz4":
            begin = lz4.frame.LZ4FrameDecompressor
        case _:
            message = f"Code: 89. DB::Exception: Content-Encoding {encoding} is not served: send gzip, deflate or lz4"
            raise EngineRefusal(UNKNOWN_COMPRESSION, message)
    try:
        return _frames(body, begin)
    except (zlib.error, RuntimeError) as error:
        raise EngineRefusal(
            CANNOT_DECOMPRESS, f"Code: 271. DB::Exception: the body is not {encoding}: {error}"
        ) from error


def _frames(body: bytes, begin: Callable[[], Any]) -> bytes:
    """Decompress frame after frame: a client that sends a body in chunks may make each of them a frame of its own."""
    plain: list[bytes] = []
    space = BODY_BYTES_MAX
    while body:
        decompressor = begin()
        plain.append(decompressor.decompress(body, max(space, 1)))
        if not decompressor.eof:
            message = (
                f"Code: 341. DB::Exception: the compressed body is cut short or larger than {BODY_BYTES_MAX} bytes"
            )
            raise EngineRefusal(TOO_LARGE, message)
        space -= len(plain[-1])
        body = decompressor.unused_data or b""
    return b"".join(plain)


def check_password(parameters: Mapping[str, str], headers: Mapping[str, str], password: str) -> None:
    """Refuse a request that does not know the password, where there is one. Raises EngineRefusal."""
    if not password:
        return
    user, given = parameters.get("user", USER), parameters.get("password", "")
    if "X-ClickHouse-Key" in headers:
        user, given = headers.get("X-ClickHouse-User", USER), headers["X-ClickHouse-Key"]
    kind, _, token = headers.get("Authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            user, _, given = base64.b64decode(token).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user, given = "", ""
    if not (hmac.compare_digest(given.encode(), password.encode()) and user == USER):
        message = (
            f"Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect, or there is no such user."
        )
        raise EngineRefusal(AUTHENTICATION_FAILED, message + " (AUTHENTICATION_FAILED)")
