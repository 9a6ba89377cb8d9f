"""The documents say what is so: links, settings, commands, codes, calls, fields and metrics are those of the code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from typer.main import get_command

from holdfast.audit.run import CHECKS
from holdfast.job.run import JOBS
from holdfast.kernel.config import Settings
from holdfast.kernel.problem import status_of
from holdfast.main.cli.commands import app as cli
from holdfast.main.http.app import create_app
from holdfast.main.http.connection import REFUSED
from holdfast.main.process.work import LAG
from holdfast.main.process.worker import ROWS, RUNS
from holdfast.place.document import ResourceDocument, VenueDocument
from holdfast.place.policies.fair_use import FairUseRule
from holdfast.place.policy import Policy
from holdfast.place.prices.rules import PriceRule
from holdfast.place.prices.sold import Discount, Extra
from tests.refusals import refusals

ROOT = Path(__file__).parents[1]
TREES = ("src", "tests", "bench", "scripts", "docs", "examples", ".ci")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GUIDES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")]
LINK = re.compile(r"\]\(([^)\s]+)\)")
BROKEN_LINK = re.compile(r"\]\([^)\s]+\s[^)]*\)")
"""With white space in it, it is shown as text."""
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
METRIC = re.compile(r"holdfast_[a-z_]+")

# Written so that this file does not contain what it looks for.
HOSTS = ("pypi" + ".org", "python" + "hosted", "npm" + "js", "artifact" + "ory", "index" + "-url =")
PLACES = ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/")


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def anchors(document: Path) -> set[str]:
    """The fragments that a document's headings can be reached by."""
    found = HEADING.findall(document.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    assert BROKEN_LINK.findall(text) == []
    targets = [link for link in LINK.findall(text) if "://" not in link]
    for target in targets:
        path, _, fragment = target.partition("#")
        there = (document.parent / path).resolve() if path else document
        assert there.exists(), target
        assert there.is_relative_to(ROOT), f"{target} leaves the repository"
        assert not fragment or fragment in anchors(there), target


def test_every_document_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    left = [ROOT / "README.md"]
    while left:
        document = left.pop()
        reached.add(document)
        links = (link.partition("#")[0] for link in LINK.findall(document.read_text("utf-8")))
        there = {
            (document.parent / link).resolve() for link in links if link.endswith(".md") and "://" not in link
        }
        left += there - reached
    assert not set(DOCUMENTS) - reached


def missing(wanted: Iterable[str], text: str) -> list[str]:
    return [each for each in wanted if f"`{each}`" not in text]


def test_every_setting_is_explained_with_its_default() -> None:
    text = text_of("docs/operations.md")
    for name, field in Settings.model_fields.items():
        row = re.search(rf"^\| `HOLDFAST_{name.upper()}` \| ([^|]+) \|", text, re.MULTILINE)
        assert row, f"HOLDFAST_{name.upper()} is not in the table of settings"
        default = shown(field.default)
        assert row[1].startswith(default if default == "none" else f"`{default}`"), row[0]


def test_no_setting_is_made_up() -> None:
    rows = re.findall(r"^\| `HOLDFAST_([A-Z_]+)` \|", text_of("docs/operations.md"), re.MULTILINE)
    assert {row.lower() for row in rows} == Settings.model_fields.keys()


def test_every_command_is_explained() -> None:
    text = text_of("docs/operations.md")
    group: Any = get_command(cli)
    assert [name for name in group.commands if f"`holdfast {name}" not in text] == []
    named = re.findall(r"^\| `holdfast ([a-z-]+)", text, re.MULTILINE)
    assert set(named) == set(group.commands)


def test_every_error_code_is_explained_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.+?) \|", text_of("docs/api.md"), re.MULTILINE)
    explained = {code: int(status) for status, codes in rows for code in re.findall(r"`([A-Z_]+)`", codes)}
    given = {each.code: status_of(each) for each in refusals() if "code" in each.__dict__}
    assert given.pop("NOT_AVAILABLE") == 409
    assert len(given) > 20
    assert {code: explained.get(code) for code in given} == given
    others = explained.keys() - given.keys()
    assert others
    assert all(code.endswith("_NOT_AVAILABLE") and explained[code] == 409 for code in others)


def calls() -> Iterator[str]:
    """`GET /venues/{venue_id}` of every call of the API."""
    for route in iter_route_contexts(create_app(Settings()).routes):
        path = str(route.path_format)
        if path.startswith("/api/v1/"):
            for method in route.methods or ():
                yield f"{method} {path.removeprefix('/api/v1')}"


def test_every_call_is_explained_and_none_is_made_up() -> None:
    told = set(
        re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`?]*)`", text_of("docs/api.md").split("## Conv")[0])
    )
    assert told == set(calls())


@pytest.mark.parametrize(
    "model",
    [VenueDocument, ResourceDocument, Policy, PriceRule, Extra, Discount, FairUseRule],
    ids=lambda each: each.__name__,
)
def test_every_field_of_a_venue_is_explained(model: Any) -> None:
    names = [field.alias or name for name, field in model.model_fields.items()]
    assert missing(names, text_of("docs/venues.md")) == []


def shown(default: Any) -> str:
    """A default as the tables have it."""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, BaseModel):
        return "defaults"
    return "none" if default in (None, ()) else str(default)


def test_defaults_of_the_policy_are_told_as_they_are() -> None:
    told: dict[str, str] = {}
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([^|]+) \|", text_of("docs/venues.md"), re.MULTILINE)
    for names, defaults in rows:
        fields = re.findall(r"`(\w+)`", names)
        told |= dict(zip(fields, [each.strip("` ") for each in defaults.split(",")], strict=False))
    for name, field in Policy.model_fields.items():
        assert told.get(name) == shown(field.default), name


def test_every_metric_is_explained_and_none_is_made_up() -> None:
    assert all([ROWS, RUNS, JOBS, LAG, REFUSED])  # what is counted is registered where it is imported
    create_app(Settings())
    found = prometheus_client.REGISTRY.collect()
    kept = {each.name + ("_total" if each.type == "counter" else "") for each in found}
    known = {name for name in kept if name.startswith("holdfast_")}
    section = text_of("docs/operations.md").split("## Watching")[1]
    assert set(METRIC.findall(section)) == known


def test_the_readme_counts_the_checks_of_the_audit() -> None:
    assert f"{len(CHECKS)} invariants" in text_of("README.md")
    assert f'"checks":{len(CHECKS)}' in text_of("README.md")
    assert f"{len(CHECKS)} invariants" in text_of("ARCHITECTURE.md")


def files() -> Iterator[Path]:
    """Whatever text belongs to the project."""
    for path in [*ROOT.iterdir(), *(each for tree in TREES for each in (ROOT / tree).rglob("*"))]:
        if (
            path.is_file()
            and not {".git", "__pycache__"} & {*path.parts}
            and path.suffix not in (".png", ".pyc")
        ):
            yield path


@pytest.mark.parametrize("words", [HOSTS, PLACES], ids=["hosts of package registries", "places on a machine"])
def test_nothing_names(words: tuple[str, ...]) -> None:
    named = [
        (str(path.relative_to(ROOT)), word)
        for path in files()
        for word in words
        if word in path.read_text("utf-8", errors="replace")
    ]
    assert named == []


def test_every_metric_is_in_the_table_once() -> None:
    section = text_of("docs/operations.md").split("## Watching")[1].split("\n## ")[0]
    named = re.findall(r"^\| (.+?) \|", section, re.MULTILINE)
    metrics = [metric for row in named for metric in METRIC.findall(row)]
    assert len(metrics) > 30
    assert sorted(metrics) == sorted(set(metrics))
