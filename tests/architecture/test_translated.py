"""Everything people read on a page is in the catalogues, in every language, and nothing in them is left over."""

import ast
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from fastflow.ui.texts import LANGUAGES, Catalogue

SOURCE = Path(__file__).parents[2] / "src" / "fastflow"
UI, APPS = SOURCE / "ui", SOURCE / "apps"
ELEMENTS = {"tag", "div", "span", "link", "card", "empty", "heading", "pill", "facts", "join", "button", "confirm"}
VISIBLE = {"title", "aria_label", "placeholder", "alt", "label", "aside"}
NAMES = {"Fast-Flow", " · Fast-Flow", "Ctrl K", "Ctrl ⏎", "NULL"}
"""Of the product, of keys and of SQL: the same in every language."""


@cache
def catalogue() -> Catalogue:
    return Catalogue(catalogues())


def catalogues() -> list[Path]:
    return sorted([*UI.rglob("texts.toml"), *APPS.rglob("texts.toml")])


def pages() -> list[Path]:
    return sorted([*UI.rglob("*.py"), *APPS.glob("*/pages/**/*.py"), *APPS.glob("*/report/*.py")])


@cache
def sources() -> dict[str, ast.Module]:
    return {str(path.relative_to(SOURCE)): ast.parse(path.read_text()) for path in pages()}


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    for name, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                yield f"{name}:{node.lineno}", node, called


def words_in(node: ast.expr) -> str:
    """What a literal would show to people; nothing of it: ''."""
    if isinstance(node, ast.JoinedStr):
        return "".join(words_in(part) for part in node.values)
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    return text if re.search(r"[A-Za-z]{2,}", text) else ""


def test_elements_when_they_show_words_then_those_come_from_a_catalogue() -> None:
    found = []
    for place, call, called in calls():
        shown = [*call.args[1 if called in {"tag", "link", "empty", "pill"} else 0 :]] if called in ELEMENTS else []
        if called == "Data":
            shown = call.args
        shown += [
            keyword.value for keyword in call.keywords if keyword.arg in VISIBLE and called in {*ELEMENTS, "Element"}
        ]
        found += [f"{place}: {words_in(each)!r}" for each in shown if words_in(each) and words_in(each) not in NAMES]
    assert not found, "\n".join(found)


def test_framework_when_it_shows_words_then_those_come_from_a_catalogue() -> None:
    widgets = {
        "label",
        "markdown",
        "notify",
        "input",
        "select",
        "button",
        "tooltip",
        "checkbox",
        "switch",
        "textarea",
        "html",
    }
    found = [
        f"{place}: {words_in(call.args[0])!r}"
        for place, call, called in calls()
        if called in widgets and isinstance(call.func, ast.Attribute) and call.args and words_in(call.args[0])
    ]
    assert not found, "\n".join(found)


def test_catalogue_when_compared_then_each_language_has_the_same_places_for_values() -> None:
    differing = []
    for key in catalogue().keys:
        places = {
            language: sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)
            for language, text in catalogue().languages_of(key).items()
        }
        if len({str(each) for each in places.values()}) > 1 or not all(catalogue().languages_of(key).values()):
            differing.append(f"{key}: {places}")
    assert not differing, "\n".join(differing)


def used() -> tuple[set[str], set[str]]:
    """Keys as they stand in the code, and the beginnings of those that are put together."""
    whole, begun = set(), set()
    for tree in sources().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\w+\.\w+", node.value):
                whole |= {node.value, f"{node.value}_one", f"{node.value}_many"}
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                begin = str(node.values[0].value)
                if re.match(r"\w+\.", begin):
                    begun.add(begin)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\w+\.", node.value):
                begun.add(node.value)
    return whole, begun


def test_catalogue_when_searched_then_no_phrase_is_left_over() -> None:
    whole, begun = used()
    unused = [key for key in catalogue().keys if key not in whole and not key.startswith(tuple(begun))]
    assert not unused, unused


def test_phrases_when_asked_for_by_name_then_they_are_there() -> None:
    missing = []
    for place, call, called in calls():
        if called in {"t", "count"} and call.args and isinstance(call.args[0], ast.Constant):
            key = str(call.args[0].value)
            wanted = [f"{key}_one", f"{key}_many"] if called == "count" and "." in key else [key]
            missing += [f"{place}: {each}" for each in wanted if "." in each and each not in catalogue().keys]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("folder", [path.parent for path in catalogues()], ids=lambda folder: folder.name)
def test_scripts_when_they_name_a_word_then_the_catalogue_has_it(folder: Path) -> None:
    missing = []
    for script in [*folder.glob("*.js"), *(UI / "static").glob("*.js")]:
        if script.parent == folder:  # `log_view.js` has the words of `[log]`
            table = script.stem.split("_")[0]
            words = set(re.findall(r"\bwords\.(\w+)", script.read_text()))
            missing += [f"{script.name}: {table}.{word}" for word in words if f"{table}.{word}" not in catalogue().keys]
        else:
            words = set(re.findall(r"(?:given\.)?\bwords\.(\w+)", script.read_text()))
            missing += [f"{script.name}: script.{word}" for word in words if f"script.{word}" not in catalogue().keys]
    assert not missing, missing
    assert len(LANGUAGES) == 2
