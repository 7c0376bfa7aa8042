"""Asks before something is gone for good."""

from typing import Annotated

import typer

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm(consequence: str, question: str, *, yes: bool) -> None:
    """Tell what follows and ask, on stderr; anything but a yes leaves the command.

    Raises:
        WrongUsage: nobody is there to answer.
    """
    from fastflow.cli.errors import WrongUsage
    from fastflow.cli.output import printable

    if yes:
        return
    typer.echo(printable(consequence), err=True)
    try:
        is_wanted = typer.confirm(printable(question), err=True)
    except typer.Abort as error:
        typer.echo(err=True)  # ends the line of the question
        raise WrongUsage("Nobody answered, so nothing was done.", hint="Give --yes where nobody can.") from error
    if not is_wanted:
        typer.echo("Nothing was done.", err=True)
        raise typer.Exit(1)
