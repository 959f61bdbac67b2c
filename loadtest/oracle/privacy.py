"""Where receivers' own words got to: every trace of a run that must carry none is looked through for the canaries.

They may be in what the shops sent (orders.raw), in the commands that need an address to do their work (order, stock,
routing and waybill commands, carrier calls), in what a reviewer is shown (orders.review), in a dead letter's value,
which is the shop's record as it was, and in the changelogs of the stages that must remember an address for a while
(dedup, until the order goes on; waybill, until no call needs it); and in reservation's, until an order that waits goes
on. They may be nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest import canaries
from loadtest.oracle.stored import query
from loadtest.oracle.traces import Leak, Scan

if TYPE_CHECKING:
    from pathlib import Path

    from confluent_kafka import Message

SONG = canaries.SONG.encode()
WORDS = (canaries.OF_NAME, canaries.OF_PHONE, canaries.OF_ADDRESS)
CLEAN_TOPICS = frozenset({"order.events", "tracking.commands"})
"""Topics without an address in any record, headers and all."""
CLEAN_CHANGELOGS = frozenset({"tracking"})
CHUNK_BYTES = 1 << 20
LEAKS_KEPT_MAX = 1000
FILES = ("*.log", "logs/*.log", "services/*/*.log", "metrics/*")
"""What processes say, below the run directory. Kafka's own data are deeper, and are the topics."""
LEAKED_SQL = """
SELECT concat(toString(partition), '-', toString(offset)) FROM order_events
WHERE position(concat(facts, ' ', id, ' ', order_id, ' ', cause, ' ', platform_order_id, ' ', fulfilment_id, ' ',
toString(shop_id), ' ', toString(reason), ' ', toString(warehouse), ' ', waybill_no), '{song}') > 0 LIMIT 100
"""
ROWS_SQL = "SELECT count() FROM order_events"


class Lookout:
    """Looks for the canaries, and notes where they are."""

    def __init__(self) -> None:
        self.places = 0
        self.sown = 0
        self._leaks: list[Leak] = []

    def sow(self, text: bytes) -> None:
        """Count the words where they belong."""
        self.sown += SONG in text

    def look(self, place: str, text: bytes) -> None:
        """Look at a text that must be without them."""
        self.places += 1
        if SONG in text and len(self._leaks) < LEAKS_KEPT_MAX:
            words = [word for word in WORDS if word.encode() in text]
            self._leaks.append(Leak(place, " and ".join(words) or canaries.SONG))

    def scan(self) -> Scan:
        """Give what was found so far."""
        return Scan(self.places, self.sown, tuple(self._leaks))


def headers_text(record: Message) -> bytes:
    """Give a record's headers as one text."""
    parts = []
    for pair in record.headers() or ():
        name, value = pair[0], pair[1]
        parts += [name.encode(), value.encode() if isinstance(value, str) else value or b""]
    return b"\n".join(parts)


def look_at_files(lookout: Lookout, run_dir: Path) -> None:
    """Look through what the processes of a run wrote."""
    for path in sorted({path for pattern in FILES for path in run_dir.glob(pattern)}):
        if path.is_file():
            with path.open("rb") as file:
                rest = b""
                while chunk := file.read(CHUNK_BYTES):
                    lookout.look(f"{path.relative_to(run_dir)} near byte {file.tell()}", rest + chunk)
                    rest = chunk[-max(map(len, WORDS)) :]


def look_at_rows(lookout: Lookout, clickhouse: str) -> None:
    """Let ClickHouse look through its rows. Raises TransientError."""
    lookout.places += int(query(clickhouse, ROWS_SQL)[0][0])
    for (row,) in query(clickhouse, LEAKED_SQL.format(song=canaries.SONG)):
        lookout.look(f"ClickHouse, order_events {row}", SONG)
