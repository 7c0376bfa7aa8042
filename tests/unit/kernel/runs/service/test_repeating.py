"""An exact repeat needs every part; each missing one is named with its remedy."""

import sys
from pathlib import Path

import pytest

from fastflow.kernel.runs.domain.errors import CapsuleIncomplete
from fastflow.kernel.runs.domain.run import Run
from fastflow.kernel.runs.service.repeating import Parts
from fastflow.kit.errors import Forbidden, Unavailable
from fastflow.testing.run_doubles import (
    ENVIRONMENT,
    INTERPRETER,
    MemoryCatalogue,
    MemoryEnvironments,
    MemoryRevealed,
    MemorySecrets,
    make_run,
)


class Case:
    """The rooms below, whole; a test takes parts away."""

    def __init__(self) -> None:
        self.catalogue = MemoryCatalogue()
        self.environments = MemoryEnvironments(Path(sys.executable))
        self.secrets = MemorySecrets(TOKEN="a-value")
        self.executors = ["process"]
        self.inputs = {"i" * 64}

    def refuse(self, run: Run) -> CapsuleIncomplete:
        with pytest.raises(CapsuleIncomplete) as caught:
            Parts(
                self.catalogue, self.environments, self.secrets, self.executors, self.inputs.__contains__
            ).require_all(run)
        return caught.value


@pytest.fixture
def case() -> Case:
    return Case()


def a_run(**values: object) -> Run:
    capsule = {**make_run().capsule, "secrets": {"TOKEN": 1}}
    return make_run(**{"environment": ENVIRONMENT, "interpreter": INTERPRETER, "capsule": capsule, **values})  # type: ignore[arg-type]  # a test's own


def test_require_all_when_everything_is_there_then_the_environment(case: Case) -> None:
    parts = Parts(case.catalogue, case.environments, case.secrets, case.executors, case.inputs.__contains__)
    assert parts.require_all(a_run()).hash == ENVIRONMENT


def test_require_all_when_a_secret_was_removed_then_it_says_how_to_bring_it_back(case: Case) -> None:
    case.secrets.values.clear()
    error = case.refuse(a_run())
    assert "TOKEN" in error.message
    assert error.hint == (
        "A removed value never comes back: give TOKEN a value again with `POST /secrets`, which becomes a new version, and "
        "re-run without `exact`."
    )


def test_require_all_when_the_pipeline_lost_its_right_to_a_secret_then_the_remedy_is_to_allow_it(case: Case) -> None:
    class Refusing(MemorySecrets):
        def reveal(self, _pipeline_name: str, versions: object) -> MemoryRevealed:
            raise Forbidden("The pipeline 'demo' may not read: TOKEN.", fields={"TOKEN": "is not allowed"})

    case.secrets = Refusing()
    error = case.refuse(a_run())
    assert error.hint.startswith("Allow TOKEN for the pipeline again: `PUT /secrets/{key}`. Or: re-run without `exact`")


def test_require_all_when_secrets_cannot_be_read_then_the_hint_is_theirs(case: Case) -> None:
    class Away(MemorySecrets):
        def reveal(self, _pipeline_name: str, versions: object) -> MemoryRevealed:
            raise Unavailable("The key is wrong.", hint="Put the key back.")

    case.secrets = Away()
    assert case.refuse(a_run()).hint.startswith("Put the key back.")


def test_require_all_when_code_and_environment_are_gone_then_each_has_its_remedy(case: Case) -> None:
    case.catalogue.snapshots.clear()
    case.environments.is_gone = True
    error = case.refuse(a_run(commit="c" * 40))
    assert error.extra["missing"][0].startswith("code snapshot tttt")
    assert error.extra["missing"][1].startswith(f"environment {ENVIRONMENT[:12]}")
    assert "commit cccccccccccc" in error.hint
    assert "builds the same environment again" in error.hint


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({"environment": None}, "environment: the run never got one"),
        ({"interpreter": "cpython-3.9.1"}, "interpreter cpython-3.9.1"),
    ],
)
def test_require_all_when_a_part_is_not_what_it_was_then_it_is_named(
    case: Case, values: dict[str, object], missing: str
) -> None:
    error = case.refuse(a_run(**values))
    assert [part for part in error.extra["missing"] if part.startswith(missing)]
    assert "without `exact`" in error.hint


def test_require_all_when_executor_or_interpreter_is_away_then_both_are_named(case: Case) -> None:
    case.executors = ["other"]
    case.environments = MemoryEnvironments(Path("/nowhere/python"))
    error = case.refuse(a_run())
    assert "executor process" in error.message
    assert "/nowhere/python is not there" in error.message


def test_require_all_when_its_inputs_are_gone_then_it_is_told_and_else_not(case: Case) -> None:
    run = a_run()
    run = a_run(capsule={**run.capsule, "inputs": "i" * 64})
    parts = Parts(case.catalogue, case.environments, case.secrets, case.executors, case.inputs.__contains__)
    assert parts.require_all(run).hash == ENVIRONMENT
    case.inputs.clear()
    error = case.refuse(run)
    assert error.extra["missing"] == ["inputs iiiiiiiiiiii: not on this server"]
    assert error.hint.startswith("Start it again from the workbench")
