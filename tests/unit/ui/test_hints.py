"""No page speaks of HTTP: what services say is turned into the words of pages, and nothing goes around that."""

import ast
import re
from pathlib import Path

import pytest

import fastflow
from fastflow.ui.hints import PLACES, as_told
from fastflow.ui.texts import LANGUAGES, Catalogue, Texts

SOURCE = Path(fastflow.__file__).parent
_OPERATION = re.compile(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`\s]*)`")
_SAID = {"hint", "message", "remedy", "reason_text", "problem", "why", "explanation"}
"""Names of what services say to people."""


def texts(language: str = "en") -> Texts:
    return Catalogue(sorted(SOURCE.rglob("ui/**/texts.toml"))).texts(language)


def operations() -> set[str]:
    """All that the kernel names between backticks, as they stand there and with an id in them."""
    named = {one for path in (SOURCE / "kernel").rglob("*.py") for one in _OPERATION.findall(path.read_text())}
    return named | {re.sub(r"\{+\w+\}+", "019a6c1e", one) for one in named}


@pytest.mark.parametrize("language", LANGUAGES)
def test_hints_when_they_name_any_operation_then_no_page_shows_its_method(language: str) -> None:
    t = texts(language)
    for operation in operations() | set(PLACES):
        for hint in (
            f"Take the id from `{operation}`.",
            f"`{operation}` shows it; see `{operation}`.",
            f"A: `{operation}`",
        ):
            assert not re.search(r"GET|POST|PUT|PATCH|DELETE", as_told(t, hint)), hint


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("`GET /pipelines` lists what exists.", "The page “Pipelines” lists what exists."),
        ("Take the id from `GET /runs`.", "Take the id from the page “Runs”."),
        ("Correct it; `GET /pipelines/{name}` shows more.", "Correct it; the pipeline's page shows more."),
        ("It ended. `POST /runs/019a/rerun` makes one.", "It ended. “Run again” on the run's page makes one."),
        ("Correct the fields; `GET /unheard/of` shows more.", "Correct the fields."),
        ("`GET /unheard/of` lists them.", ""),
        ("the GET of a script", "the GET of a script"),
    ],
)
def test_told_when_a_hint_names_an_operation_then_the_page_says_where_to_look(said: str, shown: str) -> None:
    assert as_told(texts(), said) == shown


def test_pages_when_they_show_what_a_service_says_then_it_is_told() -> None:
    around = []
    for path in (SOURCE / "ui").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"Data", "toast"}:
                inside = [each for arg in node.args for each in ast.walk(arg)]
                names = {each.attr for each in inside if isinstance(each, ast.Attribute)}
                names |= {each.id for each in inside if isinstance(each, ast.Name)} - {"why"}  # also a whole failure
                keys = {each.value for arg in node.args for each in ast.walk(arg) if isinstance(each, ast.Constant)}
                if (names | keys) & _SAID and "as_told" not in ast.unparse(node):
                    around.append(f"{path.relative_to(SOURCE)}:{node.lineno}: {ast.unparse(node)}")
    assert not around, "\n".join(around)
