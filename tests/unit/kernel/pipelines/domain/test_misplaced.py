"""Keys below the wrong heading are told, once, with where they belong."""

from collections.abc import Callable

import pytest

from fastflow.kernel.pipelines.domain.faults import Fault

FaultsOf = Callable[..., list[Fault]]


def header(*lines: str) -> str:
    return "".join(f"# {line}\n" for line in ("/// script", *lines, "///"))


@pytest.mark.parametrize(
    ("lines", "line", "where"),
    [
        (("[tool.fastflow.params]", 'CITY = "string"', 'dependencies = ["pandas"]'), 4, "[tool.fastflow.params]"),
        (("[tool.fastflow]", 'dependencies = ["pandas"]'), 3, "[tool.fastflow]"),
        (("[tool.fastflow]", 'requires-python = ">=3.11"'), 3, "[tool.fastflow]"),
        (
            ("[tool.fastflow.params.properties.CITY]", 'type = "string"', 'dependencies = ["pandas"]'),
            4,
            "[tool.fastflow.params.properties.CITY]",
        ),
    ],
)
def test_header_when_dependencies_stand_below_a_heading_then_one_fault_says_where_they_belong(
    faults_of: FaultsOf, lines: tuple[str, ...], line: int, where: str
) -> None:
    (fault,) = faults_of({"main.py": header(*lines)})
    assert (fault.file, fault.line, fault.severity) == ("demo/main.py", line, "error")
    assert where in fault.message
    assert "above the first heading" in fault.hint


def test_project_when_dependencies_stand_in_our_table_then_they_belong_to_project(faults_of: FaultsOf) -> None:
    (fault,) = faults_of({"pyproject.toml": '[tool.fastflow]\ndependencies = ["pandas"]\n'})
    assert "[project]" in fault.hint


def test_pipeline_toml_when_it_names_dependencies_then_it_says_where_to_write_them(faults_of: FaultsOf) -> None:
    (fault,) = faults_of({"pipeline.toml": 'dependencies = ["pandas"]\n'})
    assert "requirements.txt" in fault.hint


def test_parameter_when_it_is_called_dependencies_then_it_is_a_parameter(faults_of: FaultsOf) -> None:
    assert faults_of({"pipeline.toml": '[params]\ndependencies = "string"\n'}) == []


def test_parameter_when_it_is_a_setting_below_params_then_the_hint_says_to_move_it(faults_of: FaultsOf) -> None:
    (fault,) = faults_of({"pipeline.toml": '[params]\nCITY = "string"\ntimeout = "10m"\n'})
    assert "'timeout'" in fault.message
    assert "above [params]" in fault.hint
