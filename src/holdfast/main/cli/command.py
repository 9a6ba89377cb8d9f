"""The program `holdfast`: what all commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.main.process.outcome import told

if TYPE_CHECKING:
    from holdfast.kernel.config import Settings

app = typer.Typer(
    name="holdfast",
    help="One booking engine for tables, lanes, rooms and sections that never books twice.",
    epilog="Settings are HOLDFAST_* variables; HOLDFAST_DATABASE_URL selects a database other than the embedded one.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich would parse [default: ...] as markup
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DataDir = Annotated[
    Path | None,
    # readable: click's own sentence on another user's directory doesn't say what would be right.
    typer.Option(
        readable=False, help="Directory of the embedded database and the development key. [default: ./data]"
    ),
]
Host = Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="TCP port; 0: any free one. [default: 8000]")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
LetterId = Annotated[str, typer.Argument(help="The id of a dead letter.")]
IsChild = Annotated[bool, typer.Option("--child", hidden=True, help="End at end of standard input.")]
ListenerFd = Annotated[int | None, typer.Option(hidden=True, help="An inherited listening socket.")]


dead_letters = typer.Typer(help="Events for which a reaction has failed permanently.", no_args_is_help=True)
app.add_typer(dead_letters, name="dead-letters")


def command(name: str, *, of: typer.Typer = app) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator: registers a command. Exceptions become a message on stderr and an exit code."""

    def register(body: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(body)
        def shielded(*args: Any, **kwargs: Any) -> None:
            with told():
                body(*args, **kwargs)

        return of.command(name)(shielded)

    return register


def start(**given: Any) -> Settings:
    """Loads the settings and starts logging. Raises SettingsError."""
    from holdfast.kernel.config import load_settings
    from holdfast.kernel.telemetry import start_logging

    settings = load_settings(**given)
    start_logging(settings.log_level)
    return settings
