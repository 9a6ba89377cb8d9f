"""The command line as a table of contents: each command imports the file that implements it.

Imports are inside the commands, so that `--help` is fast.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.main.cli.command import (
    AsJson,
    DataDir,
    Host,
    IsChild,
    LetterId,
    ListenerFd,
    Port,
    app,
    command,
    dead_letters,
    start,
)
from holdfast.main.process.outcome import run

# --- running it -------------------------------------------------------------------------------


@command("up")
def up_(
    port: Port = None,
    host: Host = None,
    data_dir: DataDir = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Load the demo venues and print how to try them.")
    ] = False,
) -> None:
    """Run everything in the foreground: database, API and worker."""
    settings = start(port=port, host=host, data_dir=data_dir)
    from holdfast.main.process.up import up

    run(up(settings, demo=demo))


@command("serve")
def serve_(
    port: Port = None,
    host: Host = None,
    data_dir: DataDir = None,
    child: IsChild = False,
    listener_fd: ListenerFd = None,
) -> None:
    """Run the API alone."""
    _end_with_parent_if(child)
    settings = start(port=port, host=host, data_dir=data_dir)
    from holdfast.main.process.one_child import in_child_as_root

    if in_child_as_root(settings, "serve"):
        return
    import uvloop

    from holdfast.main.process.serve import serve

    run(serve(settings, listener_fd=listener_fd), loop_factory=uvloop.new_event_loop)


@command("work")
def work_(data_dir: DataDir = None, child: IsChild = False) -> None:
    """Run the worker alone: expiry of holds, jobs and other background work."""
    _end_with_parent_if(child)
    settings = start(data_dir=data_dir)
    from holdfast.main.process.one_child import in_child_as_root

    if in_child_as_root(settings, "work"):
        return
    from holdfast.main.process.work import work

    run(work(settings))


def _end_with_parent_if(child: bool) -> None:
    if child:
        from holdfast.main.process.child import end_with_parent

        end_with_parent()


# --- the database -----------------------------------------------------------------------------


@command("migrate")
def migrate_(
    data_dir: DataDir = None,
    down_to: Annotated[
        str | None,
        typer.Option(help="Revert to this revision instead ('base': all); data added since is LOST."),
    ] = None,
) -> None:
    """Migrate the database to the newest schema."""
    settings = start(data_dir=data_dir)
    from holdfast.main.cli.progress import progress
    from holdfast.main.process.database import migrate_command

    with progress("migrating", total=0):
        done = run(migrate_command(settings, down_to=down_to))
    typer.echo(done)


@command("demo")
def demo_(data_dir: DataDir = None) -> None:
    """Load the demo venues."""
    settings = start(data_dir=data_dir)
    from holdfast.main.cli.progress import progress
    from holdfast.main.process.load_demo import load_demo

    with progress("loading", total=0):
        loaded = run(load_demo(settings))
    typer.echo("\n".join(loaded))


@command("audit")
def audit_(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Check the database's invariants; the exit code is 1 if any is violated."""
    settings = start(data_dir=data_dir)
    from holdfast.main.cli.audit import audit_command

    run(audit_command(settings, as_json=as_json))


@command("list", of=dead_letters)
def dead_letters_list(
    data_dir: DataDir = None,
    tenant: Annotated[str | None, typer.Option(help="Slug. [default: all tenants]")] = None,
    replayed: Annotated[bool, typer.Option("--replayed", help="Include those that were replayed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """List dead letters, newest first."""
    settings = start(data_dir=data_dir)
    from holdfast.main.cli.dead_letters import list_command

    run(list_command(settings, tenant=tenant, replayed=replayed, as_json=as_json))


@command("show", of=dead_letters)
def dead_letters_show(id: LetterId, data_dir: DataDir = None) -> None:
    """Print one as JSON, with its event."""
    settings = start(data_dir=data_dir)
    from holdfast.main.cli.dead_letters import show_command

    run(show_command(settings, id))


@command("replay", of=dead_letters)
def dead_letters_replay(id: LetterId, data_dir: DataDir = None) -> None:
    """Queue the reaction for another attempt by the running worker; prints the same as `show`."""
    settings = start(data_dir=data_dir)
    from holdfast.main.cli.dead_letters import replay_command

    run(replay_command(settings, id))


@command("replay")
def replay_(
    file: Annotated[
        Path, typer.Argument(readable=False, help="A CSV file of hotel bookings, plain or gzip.")
    ],
    data_dir: DataDir = None,
    picture: Annotated[
        Path | None,
        typer.Option(readable=False, help="The occupancy chart. [default: occupancy.svg in the data dir]"),
    ] = None,
    late: Annotated[
        bool, typer.Option("--late", help="Give guests their rooms at check-in; book types before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Replay a real booking history through the engine, on a virtual clock, and report."""
    settings = start(data_dir=data_dir)
    import uvloop

    from holdfast.main.cli.replay import replay_command

    work = replay_command(settings, file, picture=picture, as_json=as_json, late=late)
    run(work, loop_factory=uvloop.new_event_loop)


@command("simulate")
def simulate_(
    seed: Annotated[int | None, typer.Option(help="Repeats a simulation. [default: random]")] = None,
    days: Annotated[int, typer.Option(help="Virtual days.")] = 7,
    guests: Annotated[int, typer.Option(help="Guests arriving per day.")] = 600,
    faults: Annotated[bool, typer.Option("--faults", help="Kills, lost responses, clock jumps.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Simulate guests and staff on the database, and check that every invariant holds."""
    settings = start(data_dir=data_dir)
    import uvloop

    from holdfast.main.cli.simulate import simulate_command

    work = simulate_command(settings, seed=seed, days=days, guests=guests, faults=faults, as_json=as_json)
    run(work, loop_factory=uvloop.new_event_loop)


@command("bench")
def bench_(
    names: Annotated[list[str] | None, typer.Argument(help="Which benchmarks. [default: all]")] = None,
    seconds: Annotated[float, typer.Option(min=0.5, help="Duration of each load.")] = 6.0,
) -> None:
    """Measure bookings and reads per second against the bare database; prints a JSON object per benchmark."""
    from holdfast.main.cli.bench import bench_command

    sys.exit(bench_command([*(names or []), "--seconds", str(seconds)]))


# --- people and scripts -----------------------------------------------------------------------


@command("token")
def token_(
    role: Annotated[list[str], typer.Option(help="A role of the bearer; repeat it for more.")],
    tenant: Annotated[str | None, typer.Option(help="Slug. Required, except for platform_admin.")] = None,
    subject: Annotated[str | None, typer.Option(help="The bearer's id. [default: a new one]")] = None,
    ttl: Annotated[str, typer.Option(help="How long it is valid, such as 90s or 30m; 1h at most.")] = "1h",
    group: Annotated[
        list[str] | None, typer.Option(help="A group of guests, such as members; repeat it for more.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Print a token of the development issuer, and nothing else."""
    settings = start(data_dir=data_dir)
    from holdfast.main.process.tokens import mint

    typer.echo(mint(settings, tenant=tenant, roles=role, subject=subject, ttl=ttl, groups=group or ()))


@command("openapi")
def openapi_() -> None:
    """Print the OpenAPI document of the API."""
    settings = start()
    from holdfast.main.http.app import create_app

    _echo_indented(create_app(settings).openapi())


@command("asyncapi")
def asyncapi_() -> None:
    """Print the AsyncAPI document of the live channels."""
    from holdfast.main.asyncapi.document import asyncapi

    _echo_indented(asyncapi())


def _echo_indented(document: dict[str, Any]) -> None:
    import orjson

    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


__all__ = ["app"]
