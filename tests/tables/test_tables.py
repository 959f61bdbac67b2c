from __future__ import annotations

import importlib
import pkgutil

import pytest

import tables
from pipeline.topics import Table

MODULES = [module.name for module in pkgutil.iter_modules(tables.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_a_tables_file_says_what_it_keeps(name: str) -> None:
    module = importlib.import_module(f"tables.{name}")
    table = getattr(module, name.upper())
    assert isinstance(table, Table)
    assert (table.name, table.keeps != "", table.entries_max > 0) == (name, True, True)
    assert module.__doc__


def test_there_are_tables() -> None:
    assert len(MODULES) == 13
