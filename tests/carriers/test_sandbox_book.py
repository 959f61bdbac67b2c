from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING

import pytest

from pipeline.carriers.sandbox_book import Accepted, Cancelled, Moved, Refused, Reported, open_book
from pipeline.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.carriers.sandbox_book import AnyEntry

ENTRIES: list[AnyEntry] = [
    Accepted(at=1, order_id="o-1", waybill_no="SF1", answered=True),
    Refused(at=2, order_id="o-2", answered=False),
    Moved(at=3, order_id="o-1", step=1, op_code="50", route_id="11"),
    Reported(at=3, steps=[("o-1", 1)]),
    Cancelled(at=4, order_id="o-3", answered=True),
]


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def write(path: Path, entries: list[AnyEntry]) -> None:
    async def writing() -> None:
        book, _ = open_book(path)
        running = asyncio.create_task(book.run())
        for entry in entries:
            book.add(entry)
            await book.durable()
            assert lines(path)[-1].endswith(b"}")
        running.cancel()
        book.close()

    asyncio.run(writing())


def read(path: Path) -> list[AnyEntry]:
    async def reading() -> list[AnyEntry]:
        book, entries = open_book(path)
        book.close()
        return entries

    return asyncio.run(reading())


def test_a_book_keeps_what_was_durable(tmp_path: Path) -> None:
    write(tmp_path / "a" / "book", ENTRIES[:3])
    write(tmp_path / "a" / "book", ENTRIES[3:])
    assert read(tmp_path / "a" / "book") == ENTRIES


def test_nothing_is_lost_at_the_close(tmp_path: Path) -> None:
    async def writing() -> None:
        book, _ = open_book(tmp_path / "book")
        book.add(ENTRIES[0])
        book.close()

    asyncio.run(writing())
    assert read(tmp_path / "book") == ENTRIES[:1]


def test_entries_that_come_together_share_a_write(tmp_path: Path) -> None:
    async def writing() -> None:
        book, _ = open_book(tmp_path / "book")
        running = asyncio.create_task(book.run())
        for entry in ENTRIES:
            book.add(entry)
        assert lines(tmp_path / "book") == []
        await asyncio.gather(*(book.durable() for _ in ENTRIES))
        assert len(lines(tmp_path / "book")) == len(ENTRIES)
        running.cancel()
        book.close()

    asyncio.run(writing())


def test_one_that_waits_no_longer_leaves_the_others_waiting(tmp_path: Path) -> None:
    async def writing() -> None:
        book, _ = open_book(tmp_path / "book")
        book.add(ENTRIES[0])
        given_up, waiting = (asyncio.create_task(book.durable()) for _ in range(2))
        await asyncio.sleep(0)
        given_up.cancel()
        running = asyncio.create_task(book.run())
        await waiting
        assert (given_up.cancelled(), len(lines(tmp_path / "book"))) == (True, 1)
        running.cancel()
        book.close()

    asyncio.run(writing())


def test_nothing_is_done_before_the_disk_has_what_it_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync = os.fsync

    def noted_fsync(file: int) -> None:
        fsync(file)
        steps.append(f"{len(lines(tmp_path / 'book'))} on the disk")

    monkeypatch.setattr(os, "fsync", noted_fsync)

    async def writing() -> None:
        book, _ = open_book(tmp_path / "book")
        book.when_durable(lambda: steps.append("nothing to wait for"))
        running = asyncio.create_task(book.run())
        for number, entry in enumerate(ENTRIES, 1):
            book.add(entry)
            book.when_durable(lambda number=number: steps.append(f"then {number}"))  # type: ignore[misc]
        await book.durable()
        running.cancel()
        book.close()

    asyncio.run(writing())
    assert steps[:2] == ["nothing to wait for", "5 on the disk"]
    assert steps[2:7] == [f"then {number}" for number in range(1, 6)]


def test_what_is_added_while_answers_are_given_is_written_next(tmp_path: Path) -> None:
    async def writing() -> None:
        book, _ = open_book(tmp_path / "book")
        running = asyncio.create_task(book.run())
        again = asyncio.Event()

        def answer() -> None:
            book.add(ENTRIES[1])
            book.when_durable(again.set)

        book.add(ENTRIES[0])
        book.when_durable(answer)
        await again.wait()
        assert len(lines(tmp_path / "book")) == len(ENTRIES[:2])
        running.cancel()
        book.close()

    asyncio.run(writing())


def test_a_disk_that_takes_nothing_ends_the_writing_and_answers_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_file: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    async def writing() -> None:
        book, _ = open_book(tmp_path / "book")
        book.add(ENTRIES[0])
        book.when_durable(lambda: pytest.fail("answered"))
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", fail)
            with pytest.raises(OSError, match="no space left"):
                await book.run()
        book.when_durable(lambda: pytest.fail("answered"))
        book.close()

    asyncio.run(writing())
    assert len(lines(tmp_path / "book")) == 1


@pytest.mark.parametrize(
    "torn", [b"{", b'{"entry":"acc', b'{"entry":"refused","at":9,"order_id":"o-9","answered":true}']
)
def test_a_torn_last_line_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "book"
    write(path, ENTRIES[:1])
    with path.open("ab") as file:
        file.write(torn)
    write(path, ENTRIES[1:])
    assert read(path) == ENTRIES


def test_a_line_that_is_no_entry_is_named(tmp_path: Path) -> None:
    path = tmp_path / "book"
    write(path, ENTRIES[:1])
    with path.open("ab") as file:
        file.write(b'{"entry":"moved","at":"noon"}\n')
    write_second = r"book:2: not an entry of the book: .*at"
    with pytest.raises(SetupError, match=write_second):
        read(path)


def test_a_book_has_one_writer(tmp_path: Path) -> None:
    async def opening() -> None:
        book, _ = open_book(tmp_path / "book")
        with pytest.raises(SetupError, match="another sandbox has this book open"):
            open_book(tmp_path / "book")
        book.close()

    asyncio.run(opening())
