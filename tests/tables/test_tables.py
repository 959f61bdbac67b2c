from __future__ import annotations

import importlib
import pkgutil

import pytest

import tables
from agents import stages
from pipeline.engine.stage import DecidingStage
from pipeline.settings import Settings
from pipeline.topics import Table

MODULES = [module.name for module in pkgutil.iter_modules(tables.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_a_tables_file_says_what_it_keeps(name: str) -> None:
    module = importlib.import_module(f"tables.{name}")
    table = getattr(module, name.upper())
    assert isinstance(table, Table)
    assert (table.name, table.keeps != "", table.entries_max > 0) == (name, True, True)
    assert module.__doc__


def test_every_table_belongs_to_a_stage() -> None:
    deciding = [stage for stage in stages(Settings()) if isinstance(stage, DecidingStage)]
    assert {table.name for stage in deciding for table in stage.tables} == set(MODULES)
