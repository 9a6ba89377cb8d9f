"""`python -m holdfast` is `holdfast`."""

from holdfast.main.cli.commands import app

if __name__ == "__main__":
    app()
