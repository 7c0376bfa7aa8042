"""A command by another tool's name is told by its own."""

import pytest
from typer.testing import CliRunner

from fastflow.cli.app import app


@pytest.mark.parametrize(
    ("typed", "ours"),
    [("tokens revoke", "'rm'"), ("users delete", "'rm'"), ("runs ls", "'list'"), ("tokens add", "'create'")],
)
def test_unknown_command_when_other_tools_call_it_so_then_ours_is_named(typed: str, ours: str) -> None:
    result = CliRunner().invoke(app, typed.split())
    assert result.exit_code == 2
    assert f"Did you mean {ours}?" in result.stderr


def test_unknown_command_when_no_word_is_near_then_none_is_named() -> None:
    assert "Did you mean" not in CliRunner().invoke(app, ["tokens", "zzz"]).stderr


def test_backfill_when_its_first_word_is_no_command_then_it_is_a_pipeline() -> None:
    result = CliRunner().invoke(app, ["backfill", "demo", "--help"])
    assert (result.exit_code, "--from" in result.stdout) == (0, True)
