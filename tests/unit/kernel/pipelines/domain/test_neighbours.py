"""Imports of pipelines of one file from the files beside them."""

from dataclasses import replace

from fastflow.kernel.pipelines.domain.neighbours import judge_neighbours
from fastflow.kernel.pipelines.domain.pipeline import Pipeline

HELPERS = Pipeline(name="helpers", kind="file", script="helpers.py")
EXPORT = Pipeline(name="export", kind="file", script="export.py", modules=("csv", "helpers", "helpers.text", "numpy"))


def test_neighbours_when_a_file_imports_one_then_a_warning_names_both_and_the_folder_to_make() -> None:
    ((name, (fault,)),) = judge_neighbours([EXPORT, HELPERS, replace(HELPERS, name="csv", script="csv.py")]).items()
    assert (name, fault.severity, fault.file) == ("export", "warning", "export.py")
    assert "imports helpers, and helpers.py lies beside it" in fault.message
    assert "export/main.py with helpers.py in it" in fault.hint


def test_neighbours_when_they_are_of_another_repository_or_a_folder_then_nothing_is_said() -> None:
    other = replace(HELPERS, repository="elsewhere")
    folder = replace(EXPORT, kind="folder", script="main.py")
    assert judge_neighbours([EXPORT, other]) == judge_neighbours([folder, HELPERS]) == {}
