"""How the command line tells what went wrong: message, fields, hint on stderr, and an exit code. Never a traceback."""

import os
import sys
from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperGroup

from fastflow.kit.errors import FastFlowError, InvalidInput, Unavailable


class ServerProblem(FastFlowError):
    """What the API answered instead of a result.

    Attributes:
        status: the HTTP status.
    """

    default_code = "server_problem"

    def __init__(self, problem: Mapping[str, Any], status: int) -> None:
        super().__init__(
            str(problem.get("detail") or problem.get("title") or f"The server answered with status {status}."),
            code=str(problem.get("code") or "server_problem"),
            hint=str(problem.get("hint") or ""),
            fields={str(name): str(text) for name, text in dict(problem.get("fields") or {}).items()},
        )
        self.status = status


class ServerUnreachable(Unavailable):
    """No server answers where `FASTFLOW_URL` points."""

    default_code = "server_unreachable"
    default_hint = (
        "Check FASTFLOW_URL and that `fastflow serve` runs there; without FASTFLOW_URL commands work on DATA_DIR."
    )


class WrongUsage(InvalidInput):
    """The command line itself is wrong; the exit code is 2, as for every usage error."""

    default_code = "usage"


class CommandGroup(TyperGroup):
    """The root of all commands: turns errors into words and exit codes."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; 1 for an error of ours, 2 for wrong usage."""
        try:
            return super().invoke(ctx)
        except FastFlowError as error:
            if ctx.params.get("debug"):
                raise
            print_error(error)
            raise typer.Exit(2 if isinstance(error, WrongUsage) else 1) from error
        except BrokenPipeError:
            # whoever read our output has seen enough; nothing more may be written, not even at exit
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - stays open until the process ends
            raise typer.Exit(1) from None


def print_error(error: FastFlowError) -> None:
    """Message, fields and hint on stderr."""
    from fastflow.cli.output import printable

    lines = [f"Error: {error.message}"]
    lines += [f"  {name}: {problem}" for name, problem in error.fields.items()]
    if error.hint:
        lines.append(f"Hint: {error.hint}")
    typer.echo("\n".join(printable(line) for line in lines), err=True)
