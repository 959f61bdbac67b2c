"""The shop map: which stock pool serves a shop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipeline.domain.orders import Name
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "HOLDFAST_SHOP_POOLS_FILE"


def read_shop_pools(path: str) -> Mapping[str, str]:
    """Read a JSON object from shop id to stock pool; an empty path is an empty map. Raises SettingsError.

    A shop that moves to another pool takes none of its orders along: do it when they are through.
    """
    if not path:
        return {}
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=dict[Name, Name])
    except (OSError, ValueError) as error:
        message = f"{VARIABLE}: {path}: {error}"
        raise SettingsError(message) from error
