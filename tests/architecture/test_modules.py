"""Every module can be imported alone, its docstring examples are true, and every error it declares is complete."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import fastflow
from fastflow.kernel.http.problems import STATUS_BY_FAMILY
from fastflow.kit import errors

_NOT_IMPORTED = (
    "fastflow.__main__",  # starts the command
    "fastflow.kernel.executors.sidecar.",  # runs as scripts of its own, on sys.path
    "fastflow.kernel.executors.ray.node.",  # the same, on the nodes of a cluster
    "fastflow.migrations.env",  # Alembic runs it
    "fastflow.apps.churn.method.",  # goes along with the room's pipelines, with libraries of theirs
)


_REASONS = {"SetupFailed", "LaunchFailed"}
"""What these say becomes the reason of a FAILED run; they never reach a caller of the API."""


def _names() -> list[str]:
    found = [module.name for module in pkgutil.walk_packages(fastflow.__path__, "fastflow.", onerror=_raise)]
    return [name for name in found if not name.startswith(_NOT_IMPORTED)]


def _raise(name: str) -> None:
    raise ImportError(name)


@cache
def _modules() -> list[ModuleType]:
    return [importlib.import_module(name) for name in _names()]


def _subclasses(family: type[errors.FastFlowError]) -> set[type[errors.FastFlowError]]:
    found = {family}
    for child in family.__subclasses__():
        found |= _subclasses(child)
    return found


def _declared_errors() -> list[type[errors.FastFlowError]]:
    _modules()
    # what the command line raises, a person reads: it has no status, and may hand on the server's own words
    declared = (
        kind
        for kind in _subclasses(errors.FastFlowError)
        if kind.__module__.startswith("fastflow.") and not kind.__module__.startswith("fastflow.cli.")
    )
    return sorted(declared, key=lambda kind: f"{kind.__module__}.{kind.__name__}")


def test_examples_in_docstrings_when_executed_then_they_are_true() -> None:
    with_examples = [module for module in _modules() if module.__file__ and ">>> " in Path(module.__file__).read_text()]
    outcomes = {module.__name__: doctest.testmod(module) for module in with_examples}
    assert {name: result.failed for name, result in outcomes.items() if result.failed} == {}
    assert sum(result.attempted for result in outcomes.values()) > 0


def test_modules_when_read_then_each_says_what_lives_in_it() -> None:
    silent = [module.__name__ for module in _modules() if not module.__doc__ and not hasattr(module, "__path__")]
    assert silent == []


def test_errors_when_walked_then_each_belongs_to_a_family_with_a_status() -> None:
    families = [family for family in STATUS_BY_FAMILY if family is not errors.FastFlowError]
    for kind in _declared_errors():
        if kind is not errors.FastFlowError and kind.__name__ not in _REASONS:
            assert issubclass(kind, tuple(families)), f"{kind.__module__}.{kind.__name__} is of no family"


def test_errors_when_walked_then_each_has_a_code_a_remedy_and_a_sentence() -> None:
    for kind in _declared_errors():
        assert kind.__doc__, kind
        if kind is not errors.FastFlowError:
            assert kind.default_code != errors.FastFlowError.default_code, f"{kind.__name__} has no code of its own"
            assert kind.default_hint, f"{kind.__name__} has no remedy"


def test_error_families_when_listed_then_the_tree_at_the_head_of_the_module_shows_them() -> None:
    drawn = errors.__doc__ or ""
    for family in STATUS_BY_FAMILY:
        assert family.__name__ in drawn
        assert str(int(STATUS_BY_FAMILY[family])) in drawn


@pytest.mark.parametrize("name", ["fastflow.settings", "fastflow.cli"])
def test_way_in_when_imported_in_a_fresh_process_then_nothing_is_printed(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import {name}"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
