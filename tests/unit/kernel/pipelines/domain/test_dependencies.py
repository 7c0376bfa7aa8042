from collections.abc import Callable

import pytest

from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Pipeline

Read = Callable[..., Pipeline]
FaultsOf = Callable[..., list[Fault]]

HEADER = '# /// script\n# requires-python = ">=3.10"\n# dependencies = ["six"]\n# ///\nimport six\n'
PROJECT = '[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["six"]\n'
LOCK = "version = 1\n"


def test_dependencies_when_in_requirements_then_all_included_files_count(read: Read) -> None:
    pipeline = read(
        {
            "requirements.txt": "-r more/extra.txt\n-c pins.txt\nsix\n",
            "more/extra.txt": "-r ../last.txt\npackaging\n",
            "last.txt": "idna\n",
            "pins.txt": "six<2\n",
            "README.txt": "not read",
        }
    )
    assert pipeline.faults == ()
    assert pipeline.dependencies == "requirements"
    assert set(pipeline.environment_files) == {"requirements.txt", "more/extra.txt", "last.txt", "pins.txt"}
    assert not pipeline.environment_needs_code


def test_dependencies_when_requirements_hold_only_comments_then_none(read: Read) -> None:
    assert read({"requirements.txt": "# nothing\n\n"}).dependencies == "none"


def test_dependencies_when_in_the_header_then_only_the_block_counts(read: Read) -> None:
    pipeline = read({"main.py": HEADER, "main.py.lock": LOCK})
    assert pipeline.dependencies == "script"
    assert pipeline.python == ">=3.10"
    assert pipeline.environment_files == {"main.py": HEADER.partition("import")[0], "main.py.lock": LOCK}


def test_dependencies_when_the_header_says_none_then_none(read: Read) -> None:
    assert read({"main.py": "# /// script\n# dependencies = []\n# ///\n"}).dependencies == "none"


def test_dependencies_when_project_is_locked_then_both_files_count(read: Read) -> None:
    pipeline = read({"pyproject.toml": PROJECT, "uv.lock": LOCK})
    assert (pipeline.dependencies, pipeline.python, pipeline.notes) == ("project", ">=3.11", ())
    assert set(pipeline.environment_files) == {"pyproject.toml", "uv.lock"}


def test_dependencies_when_project_has_no_lock_then_a_note_and_no_fault(read: Read) -> None:
    pipeline = read({"pyproject.toml": PROJECT})
    assert pipeline.dependencies == "project"
    assert pipeline.faults == ()
    assert "uv.lock" in pipeline.notes[0]


def test_dependencies_when_pyproject_only_configures_tools_then_none(read: Read) -> None:
    assert read({"pyproject.toml": "[tool.ruff]\nline-length = 100\n"}).dependencies == "none"


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"main.py": HEADER, "pyproject.toml": PROJECT, "uv.lock": LOCK, "requirements.txt": "six\n"}, "script"),
        ({"pyproject.toml": PROJECT, "uv.lock": LOCK, "requirements.txt": "six\n"}, "project"),
        ({"pyproject.toml": PROJECT, "requirements.txt": "six\n"}, "requirements"),
        ({"main.py": HEADER, "requirements.txt": "six\n"}, "script"),
    ],
)
def test_dependencies_when_in_several_places_then_precedence_decides_and_a_warning_tells(
    read: Read, files: dict[str, str], kind: str
) -> None:
    pipeline = read(files)
    assert pipeline.dependencies == kind
    (fault,) = pipeline.faults
    assert fault.severity == "warning"
    assert "counts" in fault.message


@pytest.mark.parametrize(
    "requirements",
    ["./lib\n", "-e ./lib\n", "../lib\n", "lib/dist/lib-1.0-py3-none-any.whl\n", "lib @ file:./lib\n", "file:./lib\n"],
)
def test_dependencies_when_a_path_then_the_code_is_part_of_the_environment(read: Read, requirements: str) -> None:
    pipeline = read({"requirements.txt": requirements})
    assert pipeline.faults == ()
    assert pipeline.environment_needs_code


def test_dependencies_when_a_source_is_a_path_then_the_code_is_part_of_the_environment(read: Read) -> None:
    sources = '[tool.uv.sources]\nlib = { path = "lib" }\n'
    assert read({"pyproject.toml": PROJECT + sources}).environment_needs_code
    assert not read({"pyproject.toml": PROJECT}).environment_needs_code


@pytest.mark.parametrize(
    ("files", "file", "line", "said"),
    [
        ({"uv.lock": LOCK}, "uv.lock", None, "no pyproject.toml"),
        ({"pyproject.toml": PROJECT, "uv.lock": "= 1\n"}, "uv.lock", 1, "not valid TOML"),
        ({"pyproject.toml": "[project\n"}, "pyproject.toml", 1, "not valid TOML"),
        ({"pyproject.toml": PROJECT.replace("six", "six six")}, "pyproject.toml", 5, "is no requirement"),
        ({"pyproject.toml": PROJECT.replace(">=3.11", "3.x")}, "pyproject.toml", 4, "no version specifier"),
        ({"main.py": HEADER.replace('"six"', '"=="')}, "main.py", 3, "is no requirement"),
        ({"main.py": HEADER.replace('["six"]', "6")}, "main.py", 3, "is no list"),
        ({"main.py": HEADER.replace(">=3.10", "x")}, "main.py", 2, "no version specifier"),
        ({"main.py": HEADER.replace("dependencies =", "dependencies")}, "main.py", 3, "not valid TOML"),
        ({"main.py": "x = 1\n" + HEADER + "\n" + HEADER}, "main.py", 8, "two PEP 723 blocks"),
        ({"main.py": "\n# /// script\n# dependencies = []\nimport os\n"}, "main.py", 2, "not closed"),
        ({"requirements.txt": "six\n\n-r nope.txt\n"}, "requirements.txt", 3, "is not there"),
        ({"requirements.txt": "-r ../shared.txt\n"}, "requirements.txt", 1, "outside the pipeline's folder"),
    ],
)
def test_dependencies_when_wrong_then_fault_names_file_and_line(
    faults_of: FaultsOf, files: dict[str, str], file: str, line: int | None, said: str
) -> None:
    (fault,) = faults_of(files)
    assert (fault.file, fault.line, fault.severity) == (f"demo/{file}", line, "error")
    assert said in fault.message
