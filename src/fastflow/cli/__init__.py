"""The command line. Every command is a client of the HTTP API, of a server or of the same app inside this process.

Modules import heavy libraries inside functions, as each start pays for what it imports: `fastflow --help` needs Typer alone.
"""


def main() -> None:
    """The `fastflow` command."""
    from fastflow.cli.app import app

    app()
