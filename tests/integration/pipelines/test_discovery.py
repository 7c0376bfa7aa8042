import os
from pathlib import Path

import pytest
from tests.integration.pipelines.conftest import Write

from fastflow.kernel.pipelines.domain.errors import BadPipelineName, PipelineNotFound, PipelinesDirUnavailable
from fastflow.kernel.pipelines.service import PipelineCatalog


@pytest.fixture
def database_kind() -> str:
    """Files are what is looked at here: one database is enough."""
    return "sqlite"


def _errors(catalog: PipelineCatalog, name: str) -> list[str]:
    return [f"{fault.place}: {fault.message}" for fault in catalog.get(name).faults if fault.severity == "error"]


def test_list_when_folders_and_files_are_there_then_only_pipelines_are_found(
    catalog: PipelineCatalog, write: Write
) -> None:
    for path in ("rfm/main.py", "hello.py", "v1.2/main.py"):
        write(path)
    for path in (".hidden/main.py", ".hidden.py", "__pycache__/main.py", "__init__.py", "lib/helper.py", "notes.txt"):
        write(path)
    assert [pipeline.name for pipeline in catalog.list()] == ["hello", "rfm", "v1.2"]
    first = catalog.list()[0]
    assert (first.kind, first.script) == ("file", "hello.py")


def test_list_when_one_is_broken_then_the_others_are_unharmed(catalog: PipelineCatalog, write: Write) -> None:
    write("good.py")
    write("syntax.py", "x = = 1\n")
    write("settings/main.py")
    write("settings/pipeline.toml", "[[[")
    assert {pipeline.name: pipeline.is_healthy for pipeline in catalog.list()} == {
        "good": True,
        "settings": False,
        "syntax": False,
    }
    assert {fault.file for fault in catalog.check()} == {"syntax.py", "settings/pipeline.toml"}
    assert {fault.file for fault in catalog.check(["syntax"])} == {"syntax.py"}


def test_list_when_the_folder_is_missing_then_the_error_says_so(catalog: PipelineCatalog, pipelines_dir: Path) -> None:
    pipelines_dir.rmdir()
    with pytest.raises(PipelinesDirUnavailable, match="No such file or directory"):
        catalog.list()
    with pytest.raises(PipelinesDirUnavailable):
        catalog.get("anything")


def test_list_when_the_folder_is_a_file_then_the_error_says_so(catalog: PipelineCatalog, pipelines_dir: Path) -> None:
    pipelines_dir.rmdir()
    pipelines_dir.write_text("")
    with pytest.raises(PipelinesDirUnavailable, match="Not a directory"):
        catalog.list()


def test_name_when_odd_then_it_is_a_fault_of_that_entry(catalog: PipelineCatalog, write: Write) -> None:
    write("my report.py")
    write("bücher/main.py")
    write("fine.py")
    faults = catalog.check()
    assert [(fault.file, fault.pipeline) for fault in faults] == [
        ("bücher", "bücher"),
        ("my report.py", "my report"),
    ]
    assert "' '" in faults[1].message


def test_name_when_not_even_text_then_still_listed_as_text(catalog: PipelineCatalog, pipelines_dir: Path) -> None:
    with open(os.fsencode(pipelines_dir) + b"/b\xffd.py", "wb"):
        pass
    (pipeline,) = catalog.list()
    assert pipeline.name.encode()
    assert not pipeline.is_healthy


def test_name_when_folder_and_file_share_it_then_it_is_one_broken_pipeline(
    catalog: PipelineCatalog, write: Write
) -> None:
    write("twin.py")
    write("twin/main.py")
    (pipeline,) = catalog.list()
    assert "both are the pipeline 'twin'" in pipeline.faults[0].message
    assert not catalog.get("twin").is_healthy


@pytest.mark.parametrize("name", ["../secret", "a/b", "..", ".hidden", "", "a\x00b", "/etc/passwd"])
def test_get_when_the_name_is_a_trick_then_refused_before_any_file_is_touched(
    catalog: PipelineCatalog, pipelines_dir: Path, name: str
) -> None:
    (pipelines_dir.parent / "secret.py").write_text("")
    with pytest.raises(BadPipelineName):
        catalog.get(name)


def test_get_when_unknown_then_near_names_are_told(catalog: PipelineCatalog, write: Write) -> None:
    write("daily-report.py")
    with pytest.raises(PipelineNotFound, match="Did you mean 'daily-report'"):
        catalog.get("daily-reprt")


def test_folder_when_it_has_settings_but_no_main_then_fault(catalog: PipelineCatalog, write: Write) -> None:
    write("half/pipeline.toml", "")
    assert _errors(catalog, "half") == ["half/main.py: There is no main.py."]


def test_link_when_it_leads_outside_then_fault(catalog: PipelineCatalog, write: Write, pipelines_dir: Path) -> None:
    outside = pipelines_dir.parent / "outside"
    outside.mkdir()
    (outside / "main.py").write_text("")
    write("inner/main.py")
    (pipelines_dir / "inner" / "data").symlink_to(outside)
    (pipelines_dir / "file.py").symlink_to(outside / "main.py")
    (pipelines_dir / "folder").symlink_to(outside)
    for name, place in (("inner", "inner/data"), ("file", "file.py"), ("folder", "folder")):
        assert _errors(catalog, name) == [f"{place}: The symbolic link leads outside PIPELINES_DIR."]


def test_link_when_it_leads_nowhere_or_in_a_circle_then_fault(
    catalog: PipelineCatalog, write: Write, pipelines_dir: Path
) -> None:
    write("circle/main.py")
    (pipelines_dir / "circle" / "again").symlink_to(pipelines_dir / "circle")
    (pipelines_dir / "gone.py").symlink_to(pipelines_dir / "nowhere.py")
    assert _errors(catalog, "circle") == ["circle/again: The link leads back to a folder above it."]
    assert _errors(catalog, "gone") == ["gone.py: The symbolic link leads nowhere."]


def test_link_when_it_leads_elsewhere_inside_then_taken(
    catalog: PipelineCatalog, write: Write, pipelines_dir: Path
) -> None:
    write("shared/util.py", "import csv\n")
    write("one/main.py", "import util\n")
    (pipelines_dir / "one" / "util.py").symlink_to("../shared/util.py")
    pipeline = catalog.get("one")
    assert pipeline.is_healthy
    assert pipeline.modules == ("csv",)


def test_special_file_when_in_the_folder_then_left_out_with_a_warning(
    catalog: PipelineCatalog, write: Write, pipelines_dir: Path
) -> None:
    write("piped/main.py")
    os.mkfifo(pipelines_dir / "piped" / "fifo")
    pipeline = catalog.get("piped")
    assert pipeline.is_healthy
    assert [(fault.file, fault.severity) for fault in pipeline.faults] == [("piped/fifo", "warning")]


def test_folder_when_too_large_then_fault_says_what_to_do(
    catalog: PipelineCatalog, write: Write, pipelines_dir: Path
) -> None:
    write("big/main.py")
    with (pipelines_dir / "big" / "data.bin").open("wb") as data:
        data.truncate(250_000_000)
    (fault,) = catalog.get("big").faults
    assert "250 MB" in fault.message
    assert ".fastflowignore" in fault.hint
    write("big/.fastflowignore", "# large\n*.bin\n")
    assert catalog.get("big").is_healthy


def test_pipeline_when_a_file_changes_then_seen_at_once(catalog: PipelineCatalog, write: Write) -> None:
    write("a/main.py")
    for text in ("one", "two", "six"):  # equal sizes, within one tick of the file system's clock
        write("a/pipeline.toml", f'description = "{text}"')
        assert catalog.get("a").description == text


def test_file_when_its_name_is_no_text_then_the_fault_still_can_be_told(
    catalog: PipelineCatalog, write: Write, pipelines_dir: Path
) -> None:
    write("a/main.py")
    os.mkfifo(os.fsencode(pipelines_dir) + b"/a/\xff")
    (fault,) = catalog.get("a").faults
    assert fault.file == "a/?"


def test_file_when_it_is_a_fifo_then_fault_instead_of_waiting(catalog: PipelineCatalog, pipelines_dir: Path) -> None:
    os.mkfifo(pipelines_dir / "pipe.py")
    assert not catalog.get("pipe").is_healthy
