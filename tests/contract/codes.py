"""The codes of problems, with their statuses, as docs/api.md lists them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs/api.md"
FIELDS = {"type", "title", "status", "detail", "code", "instance"}


@cache
def statuses() -> dict[str, int]:
    """The table of errors: the status of each code."""
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", PAGE.read_text(), re.MULTILINE)
    found = {code: int(status) for status, codes in rows for code in re.findall(r"`([A-Z_]+)`", codes)}
    assert found
    return found


def check_problem(answer: Any) -> None:
    """The answer (of httpx or requests) is a problem whose code the table has for that status."""
    assert answer.headers["content-type"] in ("application/problem+json", ["application/problem+json"])
    problem = answer.json()
    assert problem.keys() >= FIELDS, problem
    assert problem["status"] == answer.status_code, problem
    assert _status_of(problem["code"]) == answer.status_code, problem
    assert problem["type"].startswith("urn:holdfast:problem:"), problem
    assert problem["detail"], problem


def _status_of(code: str) -> int | None:
    # The kind of the resource makes the code, and anybody can have kinds of their own.
    return statuses().get("TABLE_NOT_AVAILABLE" if code.endswith("_NOT_AVAILABLE") else code)
