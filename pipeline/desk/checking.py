"""What people type or write into files, checked before it goes into the log: a refusal names record and field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from pipeline.errors import HoldfastError

if TYPE_CHECKING:
    from pathlib import Path

FILE_BYTES_MAX = 8 * 1024 * 1024
T = TypeVar("T")


def read_bytes(path: Path, bytes_max: int = FILE_BYTES_MAX) -> bytes:
    """Read a file. Raises HoldfastError, which names it."""
    try:
        found = path.read_bytes()
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise HoldfastError(message) from error
    if len(found) > bytes_max:
        message = f"{path}: {len(found)} bytes; {bytes_max} are allowed"
        raise HoldfastError(message)
    return found


def read_json(path: Path, kind: type[T]) -> T:
    """Read a JSON file. Raises HoldfastError, which names the file and the field."""
    try:
        return msgspec.json.decode(read_bytes(path), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"{path}: {told(error)}"
        raise HoldfastError(message) from error


def make(kind: type[T], fields: dict[str, Any], where: str) -> T:
    """Make a command of its fields. Raises HoldfastError, which names the record (`where`) and the field."""
    known = {field.encode_name for field in msgspec.structs.fields(kind)}  # type: ignore[arg-type]
    for name in fields:
        if name not in known:
            message = f"{where}: {name}: there is no such field; there are {', '.join(sorted(known))}"
            raise HoldfastError(message)
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        message = f"{where}: {told(error)}"
        raise HoldfastError(message) from error


def told(error: Exception) -> str:
    """Give an error of msgspec with the field in front, where it has one."""
    text, _, path = str(error).partition(" - at `$")
    field = path.strip(".`")
    return f"{field}: {text}" if field else text
