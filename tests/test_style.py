"""The limits of the code, counted: what the linter does not count."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

import pytest

from pipeline.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDERS = ("pipeline", "agents", "tables", "sinks", "loadtest", "tests")
FUNCTION_LINES_MAX = 40
FILE_LINES_MAX = 300
PARAMETERS_MAX = 5
DOMAIN_MAY_IMPORT = {*sys.stdlib_module_names, "msgspec", "pipeline.domain"}
# Put together here, so that this page does not find itself.
UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")))
REGISTRY = re.compile(
    "|".join(
        re.escape(name + domain)
        for name, domain in (
            ("py", "pi.org"),
            ("pythonho", "sted.org"),
            ("repo1.maven", ".org"),
            ("repo.maven", ".apache.org"),
            ("maven", ".google.com"),
            ("registry.npm", "js.org"),
            ("proxy.golang", ".org"),
            ("crates", ".io"),
            ("rubygems", ".org"),
        )
    )
)
TEXT = {".py", ".toml", ".txt", ".json", ".md", ".yaml", ".yml", ".sql", ".properties", ".sh", ".tpl", ""}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _code() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in _code():
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def _committed() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: the list of committed files cannot be had")
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.suffix in TEXT and path.is_file()]


def test_there_is_code_to_count() -> None:
    assert len(list(_functions())) > 50


def test_functions_are_short() -> None:
    lengths = {name: (node.end_lineno or 0) - node.lineno + 1 for name, node in _functions()}
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX} == {}


def test_functions_take_few_parameters() -> None:
    counts = {name: _parameters(node) for name, node in _functions()}
    assert {name: count for name, count in counts.items() if count > PARAMETERS_MAX} == {}


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count them all, but for the object itself."""
    names = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len([name for name in names if name not in {"self", "cls"}])


def test_files_are_short() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in _code()}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_nothing_is_left_for_later() -> None:
    assert [str(path) for path in _code() if UNFINISHED.search(path.read_text())] == []


def test_no_file_names_a_package_registry() -> None:
    found = {str(path): REGISTRY.findall(path.read_text(errors="replace")) for path in _committed()}
    assert {path: hosts for path, hosts in found.items() if hosts} == {}


def test_the_rules_import_the_standard_library_and_msgspec_only() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "pipeline" / "domain").rglob("*.py"))
        for name in _imports(_tree(path))
        if not _may_import(name)
    }
    assert found == set()


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _may_import(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] in DOMAIN_MAY_IMPORT or name.startswith("pipeline.domain.")
