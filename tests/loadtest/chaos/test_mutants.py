"""Every mutant changes what it names, and the product knows nothing of any of it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from types import ModuleType

import pytest

from loadtest.chaos import mutants
from loadtest.chaos.patching import rebuilt, swap
from pipeline.cli import COMMANDS
from pipeline.errors import SettingsError, SetupError
from pipeline.settings import ROOT

# Each mutant in a process of its own, forked from one that has imported everything. A change that finds nothing to
# change raises, and so does one whose signature is not that of what it replaces.
PROGRAM = """
import os
from loadtest.chaos import mutants

for name, mutant in mutants.MUTANTS.items():
    child = os.fork()
    if not child:
        for process in {change.process for change in mutant.changes}:
            mutants.apply(name, process)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(name)
"""
PRODUCT = """
import importlib, sys
for module in sys.argv[1:]:
    importlib.import_module(module)
print([name for name in sys.modules if name.startswith("loadtest.chaos")])
"""
TEST_COMMANDS = {"loadtest.demo", "pipeline.testing"}


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"REDIS_URL": "redis://127.0.0.1:9"}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )


def test_every_mutant_finds_what_it_changes() -> None:
    done = run(PROGRAM)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_every_mutant_says_what_it_breaks_and_what_shows_it() -> None:
    for mutant in mutants.MUTANTS.values():
        for change in mutant.changes:
            assert change.make.__doc__, mutant.name
        assert mutant.shown_by, mutant.name


def test_a_harmless_one_is_paired_with_the_layer_that_makes_it_so() -> None:
    for mutant in mutants.MUTANTS.values():
        if mutant.harmless:
            assert [name for name in mutants.MUTANTS if "+" in name and mutant.name in name.split("+")], mutant.name


def test_a_process_that_a_mutant_is_not_of_stays_as_it_is() -> None:
    done = run(
        "from loadtest.chaos import mutants\nfrom sinks.log import Log\nbefore = dict(vars(Log))\n"
        "mutants.apply('sink-commits-before-insert', 'worker')\nprint(dict(vars(Log)) == before)"
    )
    assert done.stdout == "True\n", done.stderr


def test_an_unknown_mutant_is_named() -> None:
    with pytest.raises(SettingsError, match="no mutant is called 'nothing'"):
        mutants.apply("nothing", "worker")


def test_the_products_processes_load_nothing_of_it() -> None:
    modules = [command.module for command in COMMANDS.values() if command.module not in TEST_COMMANDS]
    done = run(PRODUCT, *modules, "agents", "pipeline.engine.app", "sinks.clickhouse", "sinks.redis")
    assert done.stdout == "[]\n", done.stderr


def test_the_products_sources_do_not_name_it() -> None:
    named = []
    for folder in ("pipeline", "agents", "tables", "sinks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and "loadtest.chaos" in node.value:
                    named.append(str(path))
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("loadtest"):
                    named.append(str(path))
                if isinstance(node, ast.Import) and any(alias.name.startswith("loadtest") for alias in node.names):
                    named.append(str(path))
    assert named == []


def test_a_swap_refuses_what_does_not_fit() -> None:
    owner = ModuleType("owner")
    owner.call = lambda first, second: (first, second)  # type: ignore[attr-defined]  # a module made up here
    with pytest.raises(SetupError, match="gone is not there any more"):
        swap(owner, "gone", lambda original: original)
    with pytest.raises(SetupError, match="was not changed"):
        swap(owner, "call", lambda original: original)
    with pytest.raises(SetupError, match=r"takes \(first, second\), its replacement \(first\)"):
        swap(owner, "call", lambda _: lambda first: first)
    swap(owner, "call", lambda _: lambda first, second: (second, first))
    assert owner.call(1, 2) == (2, 1)


def test_a_function_is_rebuilt_with_another_global_only_if_it_uses_it() -> None:
    assert rebuilt(run, ROOT="elsewhere").__globals__["ROOT"] == "elsewhere"
    assert run.__globals__["ROOT"] == ROOT
    with pytest.raises(SetupError, match="does not use PRODUCT"):
        rebuilt(run, PRODUCT="")
