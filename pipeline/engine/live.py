"""A table's entries in one partition, live: those that still change as objects, those that are settled in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from pipeline.domain.memory import Memory
from pipeline.engine.pages import (
    KEY_BYTES_MAX,
    PAGE_BYTES_MAX,
    VALUE_BYTES_MAX,
    Filter,
    Page,
    build,
    digest_of,
    filter_of,
    merge,
    pack_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.topics import Table

SMALL_PAGES_MAX = 16
"""So many small pages become one: an older entry is then found in fewer steps."""
SHORT_CHARACTERS = KEY_BYTES_MAX // 4
"""A shorter key fits into a page, whatever its characters are: a restore need not pack it to know."""
GONE = b"\xc0"
"""The value of an entry that was dropped while a page still has it: MessagePack's nil."""
Change = tuple[bytes, bytes | None]
"""A changelog record: its key, and its value or nothing."""
_encode = msgspec.msgpack.Encoder().encode


class LiveTable(Memory[Any]):
    """A table's entries. It remembers which keys changed since the last commit."""

    __slots__ = ("_decode", "changed", "prefix", "table")

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.changed: dict[str, None] = {}
        self.table = table
        self.prefix = f"{table.name}:"
        self._decode: Callable[[bytes], Any] = msgspec.msgpack.Decoder(table.value).decode

    def __setitem__(self, key: str, value: object) -> None:
        """Put a whole new value."""
        dict.__setitem__(self, key, value)
        self.changed[key] = None

    def __delitem__(self, key: str) -> None:
        """Drop an entry, here and in the changelog."""
        dict.__delitem__(self, key)
        self.changed[key] = None

    def pop(self, key: str, default: object = None) -> Any:  # noqa: ANN401  the table's value type
        """Drop an entry if it is there, and give it."""
        if key not in self:
            return default
        value = self[key]
        del self[key]
        return value

    def setdefault(self, key: str, default: object = None) -> Any:  # noqa: ANN401  the table's value type
        """Put a value where there is none, and give the one that is there."""
        if key not in self:
            self[key] = default
        return self[key]

    def _unnoted(self, *_: object, **__: object) -> NoReturn:
        """Refuse what a dict would do past `__setitem__`: the changelog would not have it."""
        message = f"table {self.table.name}: entries are put and dropped one by one"
        raise TypeError(message)

    update = __ior__ = popitem = clear = _unnoted

    @property
    def entries(self) -> int:
        """Count the entries."""
        return len(self)

    def restore(self, key: str, value: bytes) -> None:
        """Put an entry as it was in the changelog."""
        dict.__setitem__(self, key, self._decode(value))

    def changes(self) -> Sequence[Change]:
        """Give the changelog records of the entries that changed since the last call."""
        if not self.changed:
            return ()
        prefix, get = self.prefix, super().get
        found = [
            ((prefix + key).encode(), self._gone_value(key) if (value := get(key)) is None else _encode(value))
            for key in self.changed
        ]
        self.changed.clear()
        return found

    def _gone_value(self, _key: str) -> bytes | None:
        """Give what the changelog has of an entry that was dropped."""
        return None


class PagedTable(LiveTable):
    """A table whose settled entries move to pages. An entry outside the pages shadows one inside.

    Most entries are written several times before anybody must know whether they are settled, so a write only puts its
    key into `written`, and `sort_written` sorts these into `changed` and `settled`. All three are in the order of the
    last write, which is the order of the changelog: so a restored table turns its pages at the same records as the one
    that it was restored from.
    """

    __slots__ = ("_filter", "_gone", "_is_settled", "page_changes", "page_entries", "pages", "settled", "written")

    def __init__(self, table: Table, page_entries: int) -> None:
        super().__init__(table)
        if table.settled is None:
            message = f"table {table.name} does not say when an entry is settled"
            raise ValueError(message)
        self._is_settled = table.settled
        self.page_entries = page_entries
        self._filter = Filter()
        self._gone: set[str] = set()
        self.pages: dict[int, Page] = {}
        self.page_changes: dict[int, Page | None] = {}
        self.settled: dict[str, None] = {}
        self.written: dict[str, None] = {}

    # --- reading ---

    def get(self, key: str, default: object = None) -> Any:  # noqa: ANN401  the table's value type
        """Give an entry, wherever it is."""
        value = dict.get(self, key)
        if value is None and self.pages:
            value = self._in_pages(key)
        return default if value is None else value

    def __missing__(self, key: str) -> Any:  # noqa: ANN401  the table's value type
        value = self._in_pages(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return dict.__contains__(self, key) or self._in_pages(str(key)) is not None

    def _in_pages(self, key: str) -> Any:  # noqa: ANN401  the table's value type
        if not self.pages or key in self._gone:
            return None
        packed = pack_key(key)
        digest = digest_of(packed)
        if self._filter.may_have(digest):
            for page in reversed(self.pages.values()):
                found = page.find(packed, digest)
                if found is not None:
                    return None if found == GONE else self._decode(found)
        return None

    @property
    def entries(self) -> int:
        """Count the entries; one that is shadowed counts twice."""
        return len(self) + sum(len(page) for page in self.pages.values())

    # --- writing ---

    def __setitem__(self, key: str, value: object) -> None:
        """Put a whole new value."""
        dict.__setitem__(self, key, value)
        written = self.written
        if key in written:
            del written[key]  # what is written again goes to the end
        written[key] = None
        if self._gone:
            self._gone.discard(key)

    def __delitem__(self, key: str) -> None:
        """Drop an entry, here and in the changelog. A page that has it is shadowed."""
        dict.pop(self, key, None)
        if self._in_pages(key) is not None:
            self._gone.add(key)
        self.written.pop(key, None)
        self.written[key] = None

    def sort_written(self) -> None:
        """Take note of which written entries are settled by now."""
        changed, settled, get = self.changed, self.settled, super().get
        for key in self.written:
            changed.pop(key, None)
            changed[key] = None
            settled.pop(key, None)
            value = get(key)
            if key in self._gone if value is None else self._is_settled(value):
                settled[key] = None
        self.written.clear()

    @property
    def is_full(self) -> bool:
        """Say whether a page is to be turned."""
        self.sort_written()
        return len(self.settled) >= self.page_entries

    def restore(self, key: str, value: bytes) -> None:
        """Put an entry as it was in the changelog."""
        if value == GONE:
            self._gone.add(key)
            self.settled[key] = None
            return
        entry = self._decode(value)
        dict.__setitem__(self, key, entry)
        if self._is_settled(entry) and (
            (len(key) < SHORT_CHARACTERS and len(value) <= VALUE_BYTES_MAX) or _fits(pack_key(key), value)
        ):
            self.settled[key] = None

    def changes(self) -> Sequence[Change]:
        """Give the changelog records of the entries that changed since the last call."""
        self.sort_written()
        return super().changes()

    def _gone_value(self, key: str) -> bytes | None:
        return GONE if key in self._gone else None

    # --- pages ---

    @property
    def filter_bytes(self) -> int:
        """Give what the filter over the pages takes."""
        return self._filter.size

    def turn_page(self, watermark_ms: int, latest_ms: int) -> None:
        """Move the settled entries to a page, and forget pages whose entries were settled too long ago.

        No entry is of a thing that is dated much later than `latest_ms`: until then the page's entries are remembered.
        """
        entries = []
        for key in self.settled:
            value = dict.get(self, key)
            packed, encoded = pack_key(key), GONE if value is None else _encode(value)
            if _fits(packed, encoded):
                entries.append((packed, encoded))
                dict.pop(self, key, None)
                self._gone.discard(key)
                self.changed.pop(key, None)
                self.changed[key] = None
        self.settled.clear()
        for page in build(entries, latest_ms):
            self._put_page(page)
            self._filter.add(page)
            self._merge()
        self._forget(watermark_ms)
        if self._filter.is_full:
            self.index_pages()

    def restore_page(self, number: int, page: Page | None) -> None:
        """Put or drop a page as the changelog says. Its entries are found once `index_pages` was called."""
        if page is None:
            self.pages.pop(number, None)
        else:
            self.pages[number] = page

    def index_pages(self) -> None:
        """Make the filter anew, with room for some more."""
        self._filter = filter_of(self.pages.values())

    def _put_page(self, page: Page) -> None:
        number = max(self.pages, default=-1) + 1
        self.pages[number] = self.page_changes[number] = page

    def _drop_page(self, number: int) -> Page:
        self.page_changes[number] = None
        return self.pages.pop(number)

    def _merge(self) -> None:
        newest = list(self.pages)[-SMALL_PAGES_MAX:]
        pages = [self.pages[number] for number in newest]
        are_small = all(len(page) <= self.page_entries for page in pages)
        if len(pages) == SMALL_PAGES_MAX and are_small and sum(page.size for page in pages) <= PAGE_BYTES_MAX:
            number = newest[-1] + 1
            merged = merge([self._drop_page(old) for old in newest])
            self.pages[number] = self.page_changes[number] = merged

    def _forget(self, watermark_ms: int) -> None:
        if not self.table.keep_ms:
            return
        for number, page in list(self.pages.items()):
            if page.newest_ms >= watermark_ms - self.table.keep_ms:
                return
            self._drop_page(number)
            self.forgotten_ms = max(self.forgotten_ms, page.newest_ms)


def _fits(packed: bytes, encoded: bytes) -> bool:
    return len(packed) <= KEY_BYTES_MAX and len(encoded) <= VALUE_BYTES_MAX
