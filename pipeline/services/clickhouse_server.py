"""The process that owns the embedded ClickHouse and answers its HTTP interface on the loopback address.

    python -m pipeline.services.clickhouse_server --directory DIRECTORY --port PORT

Statements run on threads, each to its end, also when its client has gone; one whose client has gone before it began is
dropped. All data is on disk when an INSERT is answered: the process may be killed at any time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from pipeline.services import clickhouse_request as requests
from pipeline.services.clickhouse_engine import NOT_IMPLEMENTED, Answer, Engine, EngineRefusal, Statement
from pipeline.services.process import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping

NETWORK_ERROR = 210
THREADS = 16
"""How many statements run at once; others wait."""
SHUTDOWN_SECONDS = 3.0
"""How long running statements may take when the server is asked to stop."""
PASSWORD_VARIABLE = "HOLDFAST_CLICKHOUSE_PASSWORD"  # noqa: S105 - the name of a variable, not a password


def create_app(engine: Engine, threads: ThreadPoolExecutor, password: str) -> web.Application:
    """Build the server on an open engine."""
    version = engine.run(Statement(text=b"SELECT version()")).body.decode().strip()
    app = web.Application(client_max_size=requests.BODY_BYTES_MAX)
    answer = partial(_serve, engine, threads, password, version)
    app.router.add_route("GET", "/", answer)
    app.router.add_route("POST", "/", answer)
    app.router.add_get("/ping", _ping)
    return app


async def _ping(_request: web.Request) -> web.Response:
    return web.Response(text="Ok.\n")


async def _serve(
    engine: Engine, threads: ThreadPoolExecutor, password: str, version: str, request: web.Request
) -> web.Response:
    query_id = request.query.get("query_id") or str(uuid.uuid4())
    common = {
        "X-ClickHouse-Query-Id": query_id,
        "X-ClickHouse-Server-Display-Name": "holdfast",
        "X-ClickHouse-Timezone": "UTC",
    }
    try:
        statement = await _read(request, password)
        if not statement.text.strip():
            return web.Response(text="Ok.\n", headers=common)
        answer = await asyncio.get_running_loop().run_in_executor(threads, partial(_run, engine, request, statement))
    except EngineRefusal as refusal:
        return web.Response(
            status=requests.STATUSES.get(refusal.code, 500),
            text=f"{refusal} (version {version})\n",
            headers={**common, "X-ClickHouse-Exception-Code": str(refusal.code), "Content-Type": requests.PLAIN},
        )
    return web.Response(body=answer.body, headers={**common, **_headers(answer)})


def _run(engine: Engine, request: web.Request, statement: Statement) -> Answer:
    """Run a statement on a thread of the pool, unless its client has gone while it waited for the thread."""
    if request.transport is None or request.transport.is_closing():
        raise EngineRefusal(NETWORK_ERROR, "Code: 210. DB::Exception: the client has gone")
    return engine.run(statement)


async def _read(request: web.Request, password: str) -> Statement:
    parameters = dict(request.query)
    requests.check_password(parameters, request.headers, password)
    if request.content_type == "multipart/form-data":
        form = await request.post()
        for name, value in form.items():
            if not isinstance(value, str):
                message = f"Code: 48. DB::Exception: the external table {name!r} is not served"
                raise EngineRefusal(NOT_IMPLEMENTED, message)
            parameters[name] = value
        body = b""
    else:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            message = f"Code: 341. DB::Exception: the body is larger than {requests.BODY_BYTES_MAX} bytes"
            raise EngineRefusal(requests.TOO_LARGE, message) from error
        body = requests.decompressed(body, request.headers.get("Content-Encoding", ""))
    return requests.statement(parameters, request.headers, body, is_get=request.method == "GET")


def _headers(answer: Answer) -> Mapping[str, str]:
    summary = {
        "read_rows": str(answer.rows_read),
        "read_bytes": str(answer.bytes_read),
        "written_rows": str(answer.rows_written),
        "written_bytes": str(answer.bytes_written),
        "elapsed_ns": str(int(answer.elapsed_seconds * 1e9)),
    }
    headers = {"X-ClickHouse-Summary": json.dumps(summary), "Content-Type": requests.PLAIN}
    if answer.output_format:
        headers["X-ClickHouse-Format"] = answer.output_format
        headers["Content-Type"] = requests.CONTENT_TYPES.get(answer.output_format, requests.PLAIN)
    return headers


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT. Gives the exit status: 0, or 1 with a line that says why it could not start."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.services.clickhouse_server")
    parser.add_argument("--directory", type=Path, required=True, help="where the data is; one process at a time")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    try:
        engine = Engine(options.directory)
    except EngineRefusal as refusal:
        print(f"clickhouse: {refusal}", file=sys.stderr)
        return 1
    with ThreadPoolExecutor(THREADS, "statement") as threads:
        app = create_app(engine, threads, os.environ.get(PASSWORD_VARIABLE, ""))
        runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=SHUTDOWN_SECONDS)
        asyncio.run(_serve_until_told(runner, options.port))
        engine.cancel_all()
    engine.close()
    return 0


async def _serve_until_told(runner: web.AppRunner, port: int) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    await told.wait()
    await runner.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
