"""The house is as ARCHITECTURE.md says: small folders, no circles, no name twice, and every file it names exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "holdfast"
FILES = {path: path.relative_to(SOURCE).with_suffix("").parts for path in SOURCE.rglob("*.py")}
FOLDERS = sorted({path.parent for path in FILES})
FILES_MAX = 15
LINES_MAX = 300
"""Where a file has more than 250 lines it is time to look for its second idea."""


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports when it is loaded, by their dotted names."""
    modules = {".".join(("holdfast", *parts)) for parts in FILES.values()}
    for node in _loaded(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("holdfast"):
            for alias in node.names:
                named = f"{node.module}.{alias.name}"
                yield named if named in modules else node.module


def _loaded(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those for the type checker alone, and those inside functions."""
    for node in ast.iter_child_nodes(tree):
        is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if not is_for_types and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            yield from _loaded(node)


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = {".".join(("holdfast", *parts)): set(imported(path)) for path, parts in FILES.items()}
    assert sum(map(len, graph.values())) > 1_000
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(SOURCE.parent)))
def test_a_folder_holds_one_idea(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= FILES_MAX


def test_no_file_is_too_long_to_read() -> None:
    lengths = {str(path.relative_to(ROOT)): path.read_text("utf-8").count("\n") for path in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > LINES_MAX} == {}


def test_architecture_names_files_that_exist() -> None:
    named = set(re.findall(r"[a-z_/]+\.py\b", (ROOT / "ARCHITECTURE.md").read_text("utf-8")))
    assert len(named) > 20
    assert {name for name in named if not (SOURCE / name).exists() and not (ROOT / name).exists()} == set()


def test_no_two_classes_share_a_name() -> None:
    named: dict[str, list[str]] = {}
    for path in FILES:
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                named.setdefault(node.name, []).append(str(path.relative_to(SOURCE)))
    assert len(named) > 300
    assert {name: where for name, where in named.items() if len(where) > 1} == {}
