"""The API speaks of operations; the command line says the same in its own commands."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import fastflow
from fastflow.bootstrap import build_product
from fastflow.cli.app import app
from fastflow.cli.hints import COMMANDS, for_command_line
from fastflow.settings import Settings
from fastflow.web import create_app

NO_COMMAND = {
    "GET /auth/oidc/login": "only a browser logs in with a provider",
    "GET /auth/oidc/logout": "only a browser was logged in there",
    "POST /auth/logout": "the command line has no logins",
    "GET /auth/sessions": "the command line has no logins",
    "GET /auth/me": "only a browser has a session, and a CSRF token for it",
    "PUT /auth/password": "a password is changed by its owner, who logs in with a browser",
    "POST /auth/login": "the command line sends a token, or needs no credentials",
}
"""Operations that hints name and the command line has no use for."""
_OPERATION = re.compile(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`\s]*)`")
_SAYS_NOTHING_TO_USERS = ("cli/hints.py",)


def named_operations() -> set[str]:
    """Every operation between backticks in the product's source, with the names of its parts in braces."""
    source = Path(fastflow.__file__).parent
    found: set[str] = set()
    for path in source.rglob("*.py"):
        text = path.read_text()
        if str(path.relative_to(source)) not in _SAYS_NOTHING_TO_USERS:
            found |= {re.sub(r"\{\w+_id\}", "{id}", operation) for operation in _OPERATION.findall(text)}
    return {operation.replace("{{", "{").replace("}}", "}") for operation in found}


@pytest.fixture
def operations(settings: Settings) -> Iterator[set[str]]:
    """What the API has, with the last part of a path's name as its hints write it."""
    product = build_product(settings)
    paths: dict[str, dict[str, Any]] = create_app(product).openapi()["paths"]
    yield {
        f"{method.upper()} {path}".replace("{run_id}", "{id}").replace("{flow_id}", "{id}")
        for path, item in paths.items()
        for method in item
    } | {"GET /openapi.json"}
    product.close()


def test_operations_when_named_in_a_hint_then_the_command_line_knows_its_command() -> None:
    for operation in named_operations():
        if operation not in NO_COMMAND:
            told = for_command_line(f"`{operation}`")
            assert told.startswith("`fastflow "), f"{operation} has no command in cli/hints.py"


def test_operations_when_named_in_a_hint_then_the_api_has_them(operations: set[str]) -> None:
    assert {operation for operation in named_operations() if operation not in operations} == set()
    assert set(COMMANDS) - operations == set()


def test_commands_when_hints_give_them_then_they_exist() -> None:
    for text in COMMANDS.values():
        command: Any = get_command(app)
        for word in text.split()[1:]:
            if word.startswith(("{", "-")) or word.isupper():
                break
            command = command.commands[word]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("`GET /pipelines` lists what exists.", "`fastflow pipelines list` lists what exists."),
        ("See `GET /pipelines/{name}`.", "See `fastflow pipelines show NAME`."),
        ("See `GET /pipelines/rfm/check`.", "See `fastflow pipelines check rfm`."),
        ("`GET /runs/019a/artifacts` lists it.", "`fastflow runs artifacts 019a` lists it."),
        ("Re-run without `exact`.", "Re-run without `--exact`."),
        ("set it as a parameter (`is_parameter`: true)", "set it as a parameter (`--parameter`)"),
        ("`PUT /auth/password` first.", "`PUT /auth/password` first."),
        ("`GET /unheard/of` and {braces}", "`GET /unheard/of` and {braces}"),
        ("nothing to see", "nothing to see"),
    ],
)
def test_for_command_line_when_a_hint_names_an_operation_then_the_command_stands_there(text: str, told: str) -> None:
    assert for_command_line(text) == told
