"""A line about stock, as people write it, made into the command that it is. All of it is checked here."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from pipeline.desk.checking import make, read_bytes, told
from pipeline.domain.commands import AdjustStock, Command, ReceiveStock, RegisterWarehouse
from pipeline.domain.stock_commands import (
    AnnounceInbound,
    CloseInbound,
    CountStock,
    DefineBundle,
    OpenFlash,
    SetSafety,
    TransferStock,
)
from pipeline.errors import HoldfastError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS: dict[str, type[Command]] = {
    "warehouse": RegisterWarehouse,
    "receive": ReceiveStock,
    "count": CountStock,
    "adjust": AdjustStock,
    "announce": AnnounceInbound,
    "close-inbound": CloseInbound,
    "transfer": TransferStock,
    "flash": OpenFlash,
    "bundle": DefineBundle,
    "safety": SetSafety,
}
COUNTED = ("units", "parts")
"""The fields that a line has as an object, SKU to units, and a command as pairs."""
DIGEST_CHARACTERS = 12
LINES_MAX = 100_000


class Feed(NamedTuple):
    """A feed: its pool, the id by which it counts once, the command."""

    pool: str
    feed_id: str
    command: Command


def read_lines(path: Path, at: int) -> list[Feed]:
    """Read a file, a JSON object a line; empty lines are passed over. Raises HoldfastError, which names the line."""
    text = read_bytes(path)
    digest = sha256(text).hexdigest()[:DIGEST_CHARACTERS]
    feeds = [
        command_of(line, where, at, f"{digest}-{number}") for number, where, line in _objects(path, text.splitlines())
    ]
    if not feeds:
        message = f"{path}: there is nothing in it"
        raise HoldfastError(message)
    counted = Counter((feed.pool, feed.feed_id) for feed in feeds)
    (_, often), times = counted.most_common(1)[0]
    if times > 1:
        message = f"{path}: feed_id: {often} is there {times} times, and would count once"
        raise HoldfastError(message)
    return feeds


def _objects(path: Path, lines: list[bytes]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    if len(lines) > LINES_MAX:
        message = f"{path}: {len(lines)} lines; {LINES_MAX} are allowed"
        raise HoldfastError(message)
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        where = f"{path}: line {number}"
        try:
            yield number, where, msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            message = f"{where}: {told(error)}"
            raise HoldfastError(message) from error


def command_of(line: dict[str, Any], where: str, at: int, feed_id: str) -> Feed:
    """Give the command of a line; `at` (ms UTC) and `feed_id` where it says none. Raises HoldfastError."""
    fields = dict(line)
    name = fields.pop("feed", None)
    if not isinstance(name, str) or name not in KINDS:
        message = f"{where}: feed: one of {', '.join(KINDS)} (it is {name!r})"
        raise HoldfastError(message)
    for field in COUNTED:
        if isinstance(fields.get(field), dict):
            fields[field] = [list(pair) for pair in fields[field].items()]
    id_name = "flash_id" if name == "flash" else "feed_id"
    fields = {"at": at, id_name: feed_id, **fields}
    command = make(KINDS[name], fields, where)
    _check(fields, where)
    return Feed(str(fields["pool"]), str(fields[id_name]), command)


def _check(fields: dict[str, Any], where: str) -> None:
    """Refuse what the stage would refuse whatever there is in stock. Raises HoldfastError."""
    for field in COUNTED:
        for sku, units in fields[field] if isinstance(fields.get(field), list) else ():
            if units <= 0:
                message = f"{where}: {field}: {sku or 'a SKU'} must be above 0 (it is {units})"
                raise HoldfastError(message)
            if not sku:
                message = f"{where}: {field}: a SKU has no name"
                raise HoldfastError(message)
    if fields.get("units") == []:
        message = f"{where}: units: there are none"
        raise HoldfastError(message)
    if not (fields.get("feed_id") or fields.get("flash_id")):
        message = f"{where}: feed_id: must not be empty"
        raise HoldfastError(message)
    if "opens_at" in fields and fields["closes_at"] <= max(fields["opens_at"], fields["at"]):
        message = f"{where}: closes_at: {fields['closes_at']} is not after it opens, or over by now"
        raise HoldfastError(message)
    if "from_pool" in fields and fields["from_pool"] == fields["to_pool"]:
        message = f"{where}: to_pool: is the one that they come from"
        raise HoldfastError(message)
