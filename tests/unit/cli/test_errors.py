"""An error says everything once: message, the fields that add to it, where was asked, what to do."""

import pytest
from typer.testing import CliRunner

from fastflow.cli.access import Access
from fastflow.cli.app import app
from fastflow.cli.errors import ServerProblem, print_error
from fastflow.kit.errors import Conflict, InvalidInput, NotFound


def told(error: Exception, capsys: pytest.CaptureFixture[str]) -> str:
    print_error(error)  # type: ignore[arg-type]  # of the family
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_print_error_when_the_message_says_what_a_field_says_then_it_is_said_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = InvalidInput(
        "The parameters are not valid: params.A: Unknown parameter; it takes none.",
        hint="",
        fields={"params.A": "unknown parameter; it takes none", "params.B": "missing"},
    )
    assert told(error, capsys) == (
        "Error: The parameters are not valid: params.A: Unknown parameter; it takes none.\n  params.B: missing\n"
    )


@pytest.mark.parametrize("error", [NotFound, Conflict])
def test_print_error_when_it_is_not_about_input_then_fields_are_left_to_programs(
    error: type[NotFound], capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(error("There is no x.", hint="", fields={"name": "unknown"}), capsys) == "Error: There is no x.\n"


def test_print_error_when_a_server_said_it_then_the_place_is_told_and_the_hint_names_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    problem = {"code": "run_not_found", "detail": "There is no run x.", "hint": "`GET /runs` lists them."}
    error = ServerProblem(problem, 404, place="the server http://server:8000")
    assert told(error, capsys) == (
        "Error: There is no run x.\n  asked: the server http://server:8000\nHint: `fastflow runs list` lists them.\n"
    )


def test_print_error_when_a_server_refused_input_then_its_fields_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    problem = {
        "code": "invalid_input",
        "detail": "It is wrong.",
        "hint": "",
        "fields": {"limit": "'x' is not a number"},
    }
    assert told(ServerProblem(problem, 422), capsys) == "Error: It is wrong.\n  limit: 'x' is not a number\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runs", "list", "--limit", "x"], "Invalid value for '--limit': 'x' is not a whole number from 1 to 500."),
        (["runs", "list", "--limit", "900"], "Invalid value for '--limit': '900' is more than 500, the most allowed."),
        (["serve", "--port", "abc"], "Invalid value for '--port': 'abc' is not a whole number from 0 to 65535."),
        (["run", "x", "--priority", "high"], "Invalid value for '--priority': 'high' is not a whole number."),
        (
            ["runs", "logs", "last", "--tail", "-3"],
            "Invalid value for '--tail': '-3' is less than 0, the least allowed.",
        ),
    ],
)
def test_option_when_its_value_is_wrong_then_value_and_wish_are_told(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert f"Error: {said}" in result.stderr
    assert "Usage: " in result.stderr


def test_command_when_something_unforeseen_is_raised_then_it_is_one_sentence_and_the_way_to_the_traceback() -> None:
    def connect() -> None:
        raise RuntimeError("wires\ncrossed")

    result = CliRunner().invoke(app, ["runs", "list"], obj=Access(connect=connect))  # type: ignore[arg-type]
    assert (result.exit_code, result.stdout) == (1, "")
    told, hint = result.stderr.splitlines()
    assert told == "Error: This went wrong inside Fast-Flow: RuntimeError: wires crossed."
    assert "`fastflow --debug …`" in hint and "FASTFLOW_DEBUG=1" in hint
    result = CliRunner().invoke(app, ["--debug", "runs", "list"], obj=Access(connect=connect))  # type: ignore[arg-type]
    assert isinstance(result.exception, RuntimeError)
