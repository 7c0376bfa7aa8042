from collections.abc import Callable

import pytest

from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Pipeline

Read = Callable[..., Pipeline]
FaultsOf = Callable[..., list[Fault]]


def test_pipeline_when_it_is_one_plain_script_then_needs_nothing_and_has_no_faults(read: Read) -> None:
    pipeline = read({"main.py": "import json\nprint(json.dumps(1))\n"})
    assert pipeline.is_healthy
    assert pipeline.faults == ()
    assert pipeline.dependencies == "none"
    assert pipeline.modules == ("json",)
    assert pipeline.params_schema is None


@pytest.mark.parametrize(
    ("content", "line", "column", "said"),
    [
        ("x = 1\ny = = 2\n", 2, 5, "invalid syntax"),
        ("def f(:\n", 1, None, "invalid syntax"),
        (b"a = 1\nb = '\xff'\n", 2, 6, "not valid UTF-8"),
        (b"# coding: nonsense\n", 1, None, "encoding"),
        (b"x = 1\x00\n", 1, None, "null bytes"),
    ],
)
def test_script_when_python_cannot_read_it_then_fault_names_file_and_place(
    faults_of: FaultsOf, content: str | bytes, line: int, column: int | None, said: str
) -> None:
    (fault,) = faults_of({"main.py": content})
    assert (fault.file, fault.line, fault.severity) == ("demo/main.py", line, "error")
    assert column is None or fault.column == column
    assert said in fault.message


def test_script_when_nested_beyond_the_parser_then_fault_instead_of_crash(faults_of: FaultsOf) -> None:
    (fault,) = faults_of({"main.py": "(" * 5000 + ")" * 5000})
    assert fault.severity == "error"


def test_script_when_in_a_coding_of_its_own_then_read(read: Read) -> None:
    assert read({"main.py": "# coding: latin-1\nx = 'é'\n".encode("latin-1")}).is_healthy


def test_script_when_it_cannot_be_read_then_fault_says_why(faults_of: FaultsOf) -> None:
    (fault,) = faults_of({"main.py": None})
    assert "Permission denied" in fault.message


def test_module_beside_when_it_cannot_be_parsed_then_only_a_warning(read: Read) -> None:
    pipeline = read({"template.py": "{{ name }} = = 1\n", "binary.py": b"\xff\xfe"})
    assert pipeline.is_healthy
    assert [(fault.file, fault.severity) for fault in pipeline.faults] == [
        ("demo/binary.py", "warning"),
        ("demo/template.py", "warning"),
    ]


def test_syntax_of_a_newer_python_when_pipeline_asks_for_it_then_only_a_warning(read: Read) -> None:
    pipeline = read({"main.py": "type X = = int\n", "pipeline.toml": 'python = "3.13"\n'})
    assert pipeline.is_healthy
    assert pipeline.faults[0].severity == "warning"


def test_invalid_escape_when_parsed_then_no_warning_of_python_escapes(read: Read) -> None:
    assert read({"main.py": "x = '\\d'\n"}).faults == ()


def test_settings_when_in_three_places_then_pipeline_toml_counts_and_a_warning_tells(read: Read) -> None:
    header = '# /// script\n# [tool.fastflow]\n# description = "header"\n# ///\n'
    pyproject = '[tool.fastflow]\ndescription = "project"\n'
    everywhere = {"main.py": header, "pyproject.toml": pyproject, "pipeline.toml": 'description = "own"\n'}
    assert read({"pyproject.toml": pyproject}).description == "project"
    assert read({"main.py": header, "pyproject.toml": pyproject}).description == "header"
    pipeline = read(everywhere)
    assert pipeline.description == "own"
    (fault,) = pipeline.faults
    assert fault.severity == "warning"
    assert "pipeline.toml" in fault.message
    assert "header" in fault.message


def test_settings_when_in_the_header_then_fault_names_the_line_of_the_script(faults_of: FaultsOf) -> None:
    script = "#!/usr/bin/env python\n# /// script\n# dependencies = []\n# [tool.fastflow]\n# timeuot = 3\n# ///\n"
    (fault,) = faults_of({"main.py": script})
    assert (fault.file, fault.line) == ("demo/main.py", 5)
    assert "'timeout'" in fault.message


def test_toml_when_broken_then_fault_names_its_line_and_column(faults_of: FaultsOf) -> None:
    (fault,) = faults_of({"pipeline.toml": 'description = "a"\ntimeout = \n'})
    assert (fault.file, fault.line) == ("demo/pipeline.toml", 2)
    assert fault.column == 11


def test_toml_when_not_utf8_then_fault_names_the_place(faults_of: FaultsOf) -> None:
    (fault,) = faults_of({"pipeline.toml": b"description = 'a'\ntags = ['\xe9']\n"})
    assert (fault.line, fault.column) == (2, 10)


def test_broken_files_when_several_then_every_fault_is_named(faults_of: FaultsOf) -> None:
    found = faults_of(
        {"main.py": "x = = 1\n", "pipeline.toml": "retries = -1\nnope = 1\n", "requirements.txt": "a b\n"}
    )
    assert [(fault.file, fault.line) for fault in found] == [
        ("demo/main.py", 1),
        ("demo/pipeline.toml", 1),
        ("demo/pipeline.toml", 2),
        ("demo/requirements.txt", 1),
    ]
