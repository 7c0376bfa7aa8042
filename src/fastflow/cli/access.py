"""What all commands share: where the API is, and the connection to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fastflow.cli.client import Api

AsJson = Annotated[bool, typer.Option("--json", help="Print the API's own answer as JSON.")]
Limit = Annotated[int, typer.Option(min=1, max=500, help="Rows to show.")]
Cursor = Annotated[str | None, typer.Option(help="`next_cursor` of the page before.")]


@dataclass(frozen=True, kw_only=True)
class Access:
    """How commands reach the API.

    Attributes:
        url: of a server; None: the app inside this process, on DATA_DIR.
        token: bearer token for the server.
        debug: tell more of what goes wrong.
        connect: opens the connection instead; tests use it.
    """

    url: str | None = None
    token: str | None = None
    debug: bool = False
    connect: "Callable[[], Api] | None" = None

    def open(self, **settings: Any) -> "Api":
        """A connection, to be closed by leaving it as a context.

        Args:
            settings: settings that win over the environment, for the app inside this process.
        """
        if self.connect is not None:
            return self.connect()
        if self.url:
            from fastflow.cli.client import open_remote

            return open_remote(self.url, self.token)
        from fastflow.cli.in_process import open_local  # the whole server's code: only when it is needed

        return open_local(debug=self.debug, **settings)


def access(ctx: typer.Context) -> Access:
    """What the root command found out."""
    found = ctx.obj
    assert isinstance(found, Access)
    return found


def open_api(ctx: typer.Context) -> "Api":
    """What a command reaches the API through; a context that closes it when left."""
    return access(ctx).open()
