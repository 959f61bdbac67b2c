"""What every connector gets and does: a payload, reference values, JSON that is refused with the field's name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from pipeline.domain import reasons
from pipeline.domain.orders import NAME_CHARACTERS_MAX, Envelope
from pipeline.errors import PoisonError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RECEIVER_KEY_BYTES = 16


class RawRecord(Protocol):
    """A record of orders.raw."""

    @property
    def value(self) -> bytes | None:
        """The payload as the platform sent it."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]] | None:
        """The record's headers, among them those of the platform's own request."""

    @property
    def source(self) -> str:
        """The record's name: topic-partition-offset."""

    @property
    def timestamp_ms(self) -> int:
        """The broker's time of it, in milliseconds UTC; 0 or less where there is none."""


class Reference(NamedTuple):
    """What a connector must know beside the payload: each shop's stock pool, and Shopify's secrets, newest first."""

    shops: Mapping[str, str]
    shopify_secrets: Sequence[bytes] = ()

    def pool(self, shop_id: str) -> str:
        """Give a shop's stock pool: its own where no other is named."""
        return self.shops.get(shop_id, shop_id)


class Payload(msgspec.Struct, frozen=True, gc=False):
    """A payload, not empty and not too large, with its headers and the record that it came in."""

    value: bytes
    headers: Sequence[tuple[str, bytes]]
    source: str

    def header(self, name: str) -> bytes:
        """Give a header, empty if it is not there; names are compared as HTTP does."""
        wanted = name.lower()
        return next((text or b"" for given, text in self.headers if given.lower() == wanted), b"")

    @property
    def sha256(self) -> str:
        """Give the payload's digest, 64 hex digits."""
        return hashlib.sha256(self.value).hexdigest()

    def envelope(self, currency: str, adapter: str) -> Envelope:
        """Say where an order came from."""
        return Envelope(
            currency=currency,
            source=self.source,
            payload_sha256=self.sha256,
            adapter=adapter,
        )


def decode_json(decode: Callable[[bytes], Any], value: bytes) -> Any:  # noqa: ANN401  what the decoder gives
    """Decode JSON. Raises PoisonError: INVALID with the field's path, or MALFORMED."""
    try:
        return decode(value)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise PoisonError(reasons.INVALID, message, path.strip(".`")) from error
    except (ValueError, RecursionError) as error:
        raise PoisonError(reasons.MALFORMED, f"not JSON: {error}") from error


def name_from(header: bytes, field: str) -> str:
    """Read a shop's name from a header. Raises PoisonError: names are parts of keys, which `|` separates."""
    try:
        name = header.decode()
    except UnicodeDecodeError as error:
        raise PoisonError(reasons.INVALID, "not UTF-8", field) from error
    if not 0 < len(name) <= NAME_CHARACTERS_MAX or "|" in name:
        message = f"wanted 1 to {NAME_CHARACTERS_MAX} characters without `|`"
        raise PoisonError(reasons.INVALID, message, field)
    return name


def receiver_digest(*parts: str) -> str:
    """Digest who receives an order, where the platform has no token for that; empty if all parts are.

    Case and spaces do not count: `1 Main St` and `1 main  st` are one receiver.
    """
    if not any(parts):
        return ""
    text = "\n".join(" ".join(part.split()).casefold() for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=RECEIVER_KEY_BYTES, person=b"receiver").hexdigest()
