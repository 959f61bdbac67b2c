"""How the test build changes the product from outside: by name and signature, and loudly where either has changed."""

from __future__ import annotations

import inspect
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from pipeline.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def swap(owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:  # noqa: ANN401  a module or a class
    """Put `wrap(original)` in an attribute's place. Raises SetupError where owner, signature or effect do not fit.

    A replacement takes the parameters of what it replaces, by name and in order: when the product's function changes,
    the build stops instead of testing something else.
    """
    where = _where(owner, name)
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


def rebuilt(function: Callable[..., Any], **names: Any) -> FunctionType:  # noqa: ANN401  whatever the names stand for
    """Give the same function with other values for some of the global names in it.

    Raises SetupError where it does not use such a name: then the change would change nothing.
    """
    if not isinstance(function, FunctionType):
        message = f"{function!r} is no plain function: fit the test build to it"
        raise SetupError(message)
    used = set(_names(function.__code__))
    if unused := [name for name in names if name not in used]:
        message = f"{function.__module__}.{function.__qualname__} does not use {unused[0]}: fit the test build to it"
        raise SetupError(message)
    made = FunctionType(
        function.__code__, {**function.__globals__, **names}, function.__name__, function.__defaults__
    )  # fmt: skip
    made.__kwdefaults__ = function.__kwdefaults__
    made.__qualname__ = function.__qualname__
    return made


def _where(owner: Any, name: str) -> str:  # noqa: ANN401  a module or a class
    if inspect.ismodule(owner):
        return f"{owner.__name__}.{name}"
    return f"{owner.__module__}.{owner.__qualname__}.{name}"


def _names(code: CodeType) -> Iterator[str]:
    """Name the globals that a function reads, in what is nested in it too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


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
