"""What `holdfast up` prints when everything runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from holdfast.kernel.config import Settings
from holdfast.main.tokens import Persona


def print_welcome(settings: Settings, *, base_url: str, personas: Sequence[Persona]) -> None:
    """Where to look; on a terminal in colour, elsewhere plain."""
    lines = welcome(settings, base_url=base_url, personas=personas)
    if not sys.stdout.isatty():
        print("\n".join(lines), flush=True)
        return
    from rich.console import Console

    console = Console(highlight=True)
    for line in lines:
        # Tokens are longer than a line of the terminal: wrapped, they could not be copied.
        console.print(line, soft_wrap=True, markup=False)


def welcome(settings: Settings, *, base_url: str, personas: Sequence[Persona]) -> list[str]:
    """The lines."""
    database = (
        "HOLDFAST_DATABASE_URL" if settings.database_url else f"embedded, in {settings.data_dir.resolve()}"
    )
    lines = [
        "Holdfast is ready.",
        f"  API docs  {base_url}/docs",
        f"  API       {base_url}/api/v1",
        f"  Metrics   {base_url}/metrics",
        f"  Database  {database}",
        "Ctrl-C stops everything.",
    ]
    for persona in personas:
        lines += [
            "",
            f"As {persona.role}:",
            f"export TOKEN={persona.token}",
            f'curl -H "Authorization: Bearer $TOKEN" {base_url}{persona.path}',
        ]
    return lines
