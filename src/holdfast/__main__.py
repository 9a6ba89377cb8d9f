"""`python -m holdfast` is `holdfast`."""

from holdfast.main.cli.commands import app

app()
