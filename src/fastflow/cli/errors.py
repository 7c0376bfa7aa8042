"""How the command line tells what went wrong: message, fields, hint on stderr, and an exit code. Never a traceback."""

import os
import sys
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from fastflow.kit.errors import Bug, FastFlowError, InvalidInput, Unavailable

_UNPROCESSABLE = 422


class ServerProblem(FastFlowError):
    """What the API answered instead of a result.

    Attributes:
        status: the HTTP status.
        place: which server was asked, or where on this machine was looked; empty when it does not matter.
    """

    default_code = "server_problem"

    def __init__(self, problem: Mapping[str, Any], status: int, *, place: str = "") -> None:
        super().__init__(
            str(problem.get("detail") or problem.get("title") or f"The server answered with status {status}."),
            code=str(problem.get("code") or "server_problem"),
            hint=str(problem.get("hint") or ""),
            fields={str(name): str(text) for name, text in dict(problem.get("fields") or {}).items()},
        )
        self.status = status
        self.place = place


class ServerUnreachable(Unavailable):
    """No server answers where `FASTFLOW_URL` points."""

    default_code = "server_unreachable"
    default_hint = (
        "Check FASTFLOW_URL and that `fastflow serve` runs there; without FASTFLOW_URL commands work on DATA_DIR."
    )


class NoFastFlowServer(Unavailable):
    """Something answers where `FASTFLOW_URL` points, and it is not the API."""

    default_code = "no_fastflow_server"

    def __init__(self, server: str) -> None:
        scheme, _, rest = server.partition("://")
        host, _, path = rest.partition("/")
        super().__init__(
            f"What answers at {server} is no Fast-Flow server.",
            hint=f"FASTFLOW_URL (or --url) has the path /{path}; most likely it should be without it: {scheme}://{host}"
            if path
            else "Check that FASTFLOW_URL (or --url) names a Fast-Flow server.",
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
        except typer.BadParameter as error:
            error.message = _in_our_words(error)
            raise
        except FastFlowError as error:
            if ctx.params.get("debug"):
                raise
            print_error(error)
            raise typer.Exit(2 if isinstance(error, WrongUsage) else 1) from error
        except UnicodeEncodeError as error:
            if ctx.params.get("debug"):
                raise
            print_error(
                WrongUsage(
                    f"An argument holds bytes that are no UTF-8 text: {error.object[:80]!r}.",
                    hint="Write it in UTF-8; binary data belongs into a file.",
                )
            )
            raise typer.Exit(2) from error
        except BrokenPipeError:
            # whoever read our output has seen enough; nothing more may be written, not even at exit
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - stays open until the process ends
            raise typer.Exit(1) from None
        except (typer.Exit, typer.Abort, TyperException):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            print_error(_unexpected(error))
            raise typer.Exit(1) from error


def _unexpected(error: Exception) -> Bug:
    """What nobody foresaw, in one line."""
    text = " ".join(str(error).split())[:300]
    return Bug(
        f"This went wrong inside Fast-Flow: {type(error).__name__}{f': {text}' if text else ''}.",
        hint="Please report it, with the command and what `fastflow --debug …` (or FASTFLOW_DEBUG=1) prints: the traceback.",
    )


def _in_our_words(error: typer.BadParameter) -> str:
    """What is wrong with an option's value: the validator that Typer uses tells it without the value."""
    errors = getattr(error.__cause__, "errors", None)
    if errors is None:
        return error.message
    from fastflow.kit.value_problems import describe, describe_bounds

    limits = SimpleNamespace(ge=getattr(error.param, "min", None), le=getattr(error.param, "max", None))
    bounds = describe_bounds(SimpleNamespace(annotation=None, metadata=[limits]))
    return "; ".join(f"{describe(item, bounds=bounds)}." for item in errors())


def print_error(error: FastFlowError) -> None:
    """Message, fields, place and hint on stderr; a field only when the message does not say the same already."""
    from fastflow.cli.hints import for_command_line
    from fastflow.cli.output import printable

    lines = [f"Error: {for_command_line(error.message)}"]
    lines += [f"  {name}: {problem}" for name, problem in fields_to_tell(error).items()]
    if isinstance(error, ServerProblem) and error.place:
        lines.append(f"  asked: {error.place}")
    if error.hint:
        lines.append(f"Hint: {for_command_line(error.hint)}")
    typer.echo("\n".join(printable(line) for line in lines), err=True)


def fields_to_tell(error: FastFlowError) -> Mapping[str, str]:
    """The fields that add something to the message: those of wrong input that it does not repeat."""
    is_input = error.status == _UNPROCESSABLE if isinstance(error, ServerProblem) else isinstance(error, InvalidInput)
    said = error.message.lower()
    return {name: problem for name, problem in error.fields.items() if is_input and problem.lower() not in said}
