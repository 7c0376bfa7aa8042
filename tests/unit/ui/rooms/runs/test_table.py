import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import fastflow
from fastflow.kernel.flows.domain.flow import Kind
from fastflow.kernel.runs.domain.states import REASONS, TRIGGERS, RunStatus
from fastflow.ui.rooms.runs.table import offered_states, offered_triggers, read_state
from fastflow.ui.texts import Catalogue, Texts

SOURCE = Path(fastflow.__file__).parent


@pytest.fixture(scope="module")
def t() -> Texts:
    return Catalogue(sorted(SOURCE.rglob("ui/**/texts.toml"))).texts("en")


def triggers_in(tree: ast.AST) -> Iterator[str]:
    """Literals that are given as, or are the default of, something called `trigger`."""
    for node in ast.walk(tree):
        values: list[ast.expr] = []
        if isinstance(node, ast.keyword) and node.arg == "trigger":
            values = [node.value]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            values = [value for argument, value in found if argument.arg == "trigger" and value is not None]
        for value in values:
            parts = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
            yield from (str(each.value) for each in parts if isinstance(each, ast.Constant))


def test_triggers_when_a_run_is_submitted_by_one_then_the_domain_and_the_filter_have_it(t: Texts) -> None:
    given = {name for path in SOURCE.rglob("*.py") for name in triggers_in(ast.parse(path.read_text()))}
    assert given - {"cron"} | set(get_args(Kind)) == set(TRIGGERS)  # `cron` is what moves a schedule
    assert [name for name, _ in offered_triggers(t)] == list(TRIGGERS)


def test_states_when_offered_then_every_badge_can_be_filtered_by(t: Texts) -> None:
    offered = offered_states(t)
    badges = {t(f"status.{each}") for each in (*RunStatus, *REASONS)}
    assert {label for _, label in offered} == badges
    assert len(offered) == len(badges)
    assert all(read_state(value) != (None, None) for value, _ in offered)


def test_state_when_read_then_a_reason_is_told_from_a_status() -> None:
    assert read_state("FAILED") == (RunStatus.FAILED, None)
    assert read_state("oom") == (RunStatus.FAILED, "oom")
    assert read_state("exit") == (RunStatus.FAILED, "exit")
    assert read_state("made up") == (None, None)
