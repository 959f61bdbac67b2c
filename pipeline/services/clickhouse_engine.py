"""The embedded ClickHouse engine (chDB): one statement at a time on a handle of its own, its answer in any format.

One process at a time may open a directory, and one directory at a time is open in a process. Handles are cheap (0.3 ms)
and keep what `SET` and `USE` say to themselves, so each statement gets a new one and none sees another's settings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import chdb
import msgspec

if TYPE_CHECKING:
    from pathlib import Path

BAD_ARGUMENTS = 36
NOT_IMPLEMENTED = 48
UNKNOWN_SETTING = 115
UNKNOWN_EXCEPTION = 1002
EXECUTION_SECONDS_MAX = 300
"""How long a statement may run, unless it says otherwise."""
RESULT_BYTES_MAX = 1024**3
"""How large a result may be, unless the statement says otherwise: it is held in memory until it is sent."""
MEMORY_BYTES_MAX = 4 * 1024**3
"""How much memory a statement may take, unless it says otherwise."""
HEAD_BYTES_MAX = 64 * 1024
"""Where an INSERT must have said what format its rows are in."""
_CODE = re.compile(r"Code: (\d+)\. DB::")
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COMMENTS = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_INSERT = re.compile(
    (
        rf"{_COMMENTS}(?P<head>INSERT\s+INTO\s+(?:`[^`]*`|\"[^\"]*\"|'(?:[^'\\]|\\.)*'|[^`\"'])+?)\s*"
        r"\bFORMAT\s+(?P<format>\w+)(?:[ \t]*;)?[ \t]*(?:\r?\n|(?=[^\s])|\Z)"
    ).encode(),
    re.IGNORECASE | re.DOTALL,
)
_OWN_ROWS = re.compile(rb"\b(?:SELECT|VALUES|WITH|INFILE)\b", re.IGNORECASE)
_FILES = re.compile(rb"\bINTO\s+OUTFILE\b|\bFROM\s+INFILE\b", re.IGNORECASE)
_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*(?:SETTINGS\b[^;]*)?;?\s*\Z", re.IGNORECASE)
_ANSWERS = re.compile(
    rf"{_COMMENTS}\(?\s*(?:SELECT|WITH|SHOW|DESC|EXISTS|EXPLAIN|CHECK|KILL|FROM)".encode(), re.IGNORECASE | re.DOTALL
)


class EngineRefusal(Exception):  # noqa: N818 - a refusal is an answer, with ClickHouse's own code
    """The engine refused a statement; `code` is ClickHouse's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement; an INSERT … FORMAT carries its rows behind the format's name."""

    text: bytes
    output_format: str = "TabSeparated"
    """Where the text does not name one."""
    database: str = ""
    settings: Mapping[str, str] = {}
    parameters: Mapping[str, str] = {}
    is_readonly: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement gave. `output_format` is empty where it gives no result."""

    body: bytes
    output_format: str = ""
    rows_read: int = 0
    bytes_read: int = 0
    rows_written: int = 0
    bytes_written: int = 0
    elapsed_seconds: float = 0.0


class Engine:
    """The engine on one directory. Statements may run on several threads at once."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = str(directory)
        self._first = self._open()

    def _open(self) -> Any:  # noqa: ANN401 - chdb is untyped
        try:
            return chdb.connect(self._path)  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            message = f"cannot open {self._path}: {error} (one process at a time may open it)"
            raise EngineRefusal(BAD_ARGUMENTS, message) from error

    def run(self, statement: Statement) -> Answer:
        """Run a statement to its end. Raises EngineRefusal."""
        handle = self._open()
        try:
            _prepare(handle, statement)
            beginning = statement.text[:HEAD_BYTES_MAX]
            insert = _INSERT.match(beginning)
            if insert and not _OWN_ROWS.search(_unquoted(insert["head"])):
                rows = statement.text[insert.end() :]
                return _insert(handle, insert["head"].decode(), insert["format"].decode(), rows)
            if _FILES.search(_unquoted(statement.text)):
                message = "Code: 48. DB::Exception: INTO OUTFILE and FROM INFILE would name files of the server"
                raise EngineRefusal(NOT_IMPLEMENTED, message)
            return _query(handle, statement)
        except UnicodeDecodeError as error:
            raise EngineRefusal(
                BAD_ARGUMENTS, f"Code: 36. DB::Exception: the statement is not UTF-8: {error}"
            ) from error
        except (RuntimeError, ValueError) as error:
            raise _refusal(str(error)) from error
        finally:
            handle.close()

    def cancel_all(self) -> None:
        """Tell all statements that run to end."""
        self._first.query("KILL QUERY WHERE 1 ASYNC")

    def close(self) -> None:
        """Close the engine; all data is on disk already."""
        self._first.close()


def _prepare(handle: Any, statement: Statement) -> None:  # noqa: ANN401 - chdb is untyped
    """Make the handle the statement's: its database, its settings; `readonly` last, for it forbids further settings."""
    limits = {
        "max_execution_time": str(EXECUTION_SECONDS_MAX),
        "max_result_bytes": str(RESULT_BYTES_MAX),
        "max_memory_usage": str(MEMORY_BYTES_MAX),
    }
    settings = limits | dict(statement.settings) | ({"readonly": "2"} if statement.is_readonly else {})
    for name in settings:
        if not _SETTING.fullmatch(name):
            raise EngineRefusal(UNKNOWN_SETTING, f"Code: 115. DB::Exception: {name!r} is no setting's name")
    if statement.database:
        handle.query("USE `" + statement.database.replace("\\", "\\\\").replace("`", "\\`") + "`")
    handle.query("SET " + ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items()))


def _insert(handle: Any, head: str, input_format: str, rows: bytes) -> Answer:  # noqa: ANN401 - chdb is untyped
    with handle.send_insert(head, input_format) as inserter:
        if rows:
            inserter.append(rows)
        done = inserter.finish()
    return Answer(
        body=b"", rows_written=done.rows_written, bytes_written=done.bytes_written, elapsed_seconds=done.elapsed
    )


def _query(handle: Any, statement: Statement) -> Answer:  # noqa: ANN401 - chdb is untyped
    result = handle.query(statement.text.decode(), statement.output_format, params=dict(statement.parameters))
    named = _FORMAT.search(statement.text)
    output_format = named[1].decode() if named else statement.output_format
    return Answer(
        body=result.bytes() or b"",
        output_format=output_format if _ANSWERS.match(statement.text) else "",
        rows_read=result.rows_read(),
        bytes_read=result.bytes_read(),
        rows_written=result.rows_written(),
        bytes_written=result.bytes_written(),
        elapsed_seconds=result.elapsed(),
    )


def _unquoted(text: bytes) -> bytes:
    """Blank what stands in quotes, so that a column called `select` is no keyword."""
    return re.sub(rb"`[^`]*`|\"[^\"]*\"|'(?:[^'\\]|\\.)*'", b"x", text)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _refusal(message: str) -> EngineRefusal:
    found = _CODE.search(message)
    return EngineRefusal(int(found[1]) if found else UNKNOWN_EXCEPTION, message[found.start() :] if found else message)
