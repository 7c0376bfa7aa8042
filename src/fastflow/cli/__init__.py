"""The command line. Every command is a client of the HTTP API, of a server or of the same app inside this process.

Modules import heavy libraries inside functions, as each start pays for what it imports: `fastflow --help` needs Typer alone.
"""

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from types import ModuleType


def main() -> None:
    """The `fastflow` command."""
    import sys

    # httpx brings a command line of its own and with it Rich, Pygments and Click, which nothing here uses: done without
    sys.modules.setdefault("httpx._main", cast("ModuleType", None))
    from fastflow.cli.app import app

    app()
