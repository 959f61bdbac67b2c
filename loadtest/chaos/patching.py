"""How the test build changes the product from outside: by name and signature, and loudly where either has changed."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from pipeline.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable


def swap(owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:  # noqa: ANN401  a module or a class
    """Put `wrap(original)` in an attribute's place. Raises SetupError where owner, signature or effect do not fit.

    A replacement takes the parameters of what it replaces, by name and in order: when the product's function changes,
    the build stops instead of testing something else.
    """
    where = f"{getattr(owner, '__module__', '')}.{getattr(owner, '__qualname__', owner)}.{name}".lstrip(".")
    if name not in vars(owner):
        message = f"{where} is not there any more: the test build must be fitted to the product"
        raise SetupError(message)
    original = vars(owner)[name]
    replacement = wrap(original)
    if replacement is original:
        message = f"{where} was not changed"
        raise SetupError(message)
    old, new = _parameters(original), _parameters(replacement)
    if old != new:
        message = f"{where} takes ({', '.join(old)}), its replacement ({', '.join(new)}): fit the test build to it"
        raise SetupError(message)
    setattr(owner, name, replacement)


def _parameters(function: Any) -> list[str]:  # noqa: ANN401  whatever stands there
    """Name the parameters; nothing for what cannot be called."""
    if isinstance(function, staticmethod | classmethod):
        function = function.__func__
    if isinstance(function, property):
        function = function.fget
    if not callable(function):
        return []
    # Not through `wraps`: the replacement's own parameters count.
    return list(inspect.signature(function, follow_wrapped=False).parameters)
