"""Every SQL statement of the product, and the plan that PostgreSQL makes of it."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

import holdfast
from holdfast.kernel.db.tx import Tx

_SQL = re.compile(r"[\s(]*(WITH|SELECT|INSERT|UPDATE|DELETE)\b")
_TABLE = re.compile(r"\b(FROM|JOIN|INTO|UPDATE) [a-z_]+\b")


def _constants() -> Iterator[tuple[str, str]]:
    for module in pkgutil.walk_packages(holdfast.__path__, "holdfast."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if name.isupper() and not name.startswith("_") and isinstance(value, str) and _SQL.match(value):
                yield f"{module.name.removeprefix('holdfast.')}.{name}", value


STATEMENTS = dict(_constants())
"""By module and name, as `booking.store.FIND`. The checks of the audit are not among them: they are about all rows."""


async def nodes(tx: Tx, sql: str) -> list[dict[str, Any]]:
    """The nodes of the plan that a connection of the application keeps for the statement."""
    parameters = max(map(int, re.findall(r"\$(\d+)", sql)), default=0)
    await tx.execute(f"PREPARE looked_at AS {sql}")
    values = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    plan = orjson.loads(await tx.fetchval(f"EXPLAIN (FORMAT JSON, COSTS OFF) EXECUTE looked_at {values}"))
    await tx.execute("DEALLOCATE looked_at")
    return list(_walk(plan[0]["Plan"]))


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _walk(child)


def scans(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that read a table."""
    return [each for each in found if "Relation Name" in each and each["Node Type"] != "ModifyTable"]


def hidden() -> list[str]:
    """SQL on tables that is written where STATEMENTS does not have it: in the middle of a function.

    Functions named `..._from` are left out: they make a piece of a statement, with the name of its parameter.
    """
    found: list[str] = []
    for path in sorted(Path(holdfast.__path__[0]).rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and not function.name.endswith(
                "_from"
            ):
                found += [
                    f"{path.name}:{each.lineno} {each.value.strip()[:60]}"
                    for each in ast.walk(function)
                    if isinstance(each, ast.Constant)
                    and isinstance(each.value, str)
                    and _TABLE.search(each.value)
                ]
    return found
