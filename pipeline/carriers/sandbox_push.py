"""Pushes the sandbox's routes to whoever listens: in order for each parcel, again until each push is acknowledged."""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from pipeline.carriers.sandbox_book import Book, Moved, Reported
from pipeline.carriers.sf_routes import ACKNOWLEDGED, beijing_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.carriers.sandbox_carrier import Parcel

LANES = 4
"""Pushes at once. A parcel keeps to one lane, so its routes arrive in their order."""
ROUTES_A_PUSH_MAX = 100
PUSH_TIMEOUT_SECONDS = 15.0
RETRY_SECONDS = 0.1
RETRY_SECONDS_MAX = 1.0
REMARKS = {
    "50": "已收取快件",
    "30": "快件已装车",
    "36": "快件已发车",
    "31": "快件到达",
    "44": "正在派送途中",
    "80": "已签收",
}
PLACE = "本地沙箱"


class Pusher:
    """Queues of routes that wait to be acknowledged. They are in the book already: a crash loses none."""

    def __init__(self, url: str, book: Book, parcels: Mapping[str, Parcel]) -> None:
        self.acknowledged = 0
        self.failed_pushes = 0
        self._url = url
        self._book = book
        self._parcels = parcels
        self._lanes: list[deque[Moved]] = [deque() for _ in range(LANES)]
        self._wanted = [asyncio.Event() for _ in range(LANES)]

    @property
    def waiting(self) -> int:
        """How many routes are not acknowledged yet."""
        return sum(map(len, self._lanes))

    def add(self, moves: Iterable[Moved]) -> None:
        """Queue routes."""
        for move in moves:
            lane = zlib.crc32(move.order_id.encode()) % LANES
            self._lanes[lane].append(move)
            self._wanted[lane].set()

    async def run(self) -> None:
        """Push for as long as the sandbox lives."""
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=PUSH_TIMEOUT_SECONDS), headers={"Content-Type": "application/json"}
            ) as session,
            asyncio.TaskGroup() as lanes,
        ):
            for lane, wanted in zip(self._lanes, self._wanted, strict=True):
                lanes.create_task(self._run_lane(session, lane, wanted))

    async def _run_lane(self, session: aiohttp.ClientSession, lane: deque[Moved], wanted: asyncio.Event) -> None:
        while True:
            await wanted.wait()
            moves = list(islice(lane, ROUTES_A_PUSH_MAX))
            body = orjson.dumps({"Body": {"WaybillRoute": [self._route(move) for move in moves]}})
            pause = RETRY_SECONDS
            while not await self._push(session, body):
                self.failed_pushes += 1
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_SECONDS_MAX)
            for _ in moves:
                lane.popleft()
            self.acknowledged += len(moves)
            self._book.add(Reported(at=moves[-1].at, steps=[(move.order_id, move.step) for move in moves]))
            if not lane:
                wanted.clear()

    async def _push(self, session: aiohttp.ClientSession, body: bytes) -> bool:
        try:
            async with session.post(self._url, data=body) as response:
                answer = orjson.loads(await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError):
            return False
        return isinstance(answer, dict) and answer.get("return_code") == ACKNOWLEDGED

    def _route(self, move: Moved) -> dict[str, Any]:
        return {
            "mailno": self._parcels[move.order_id].waybill_no,
            "acceptAddress": PLACE,
            "reasonName": "",
            "orderid": move.order_id,
            "acceptTime": _accept_time(move.at // 1000),
            "remark": REMARKS[move.op_code],
            "opCode": move.op_code,
            "id": move.route_id,
            "reasonCode": "",
        }


@lru_cache(maxsize=64)
def _accept_time(at_seconds: int) -> str:
    return beijing_text(at_seconds * 1000)
