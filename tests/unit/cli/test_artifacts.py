"""A run's files are fetched whole, checked, and never outside the folder that was named."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fastflow.cli.artifacts import download_artifacts, print_artifacts
from fastflow.cli.client import Api
from fastflow.kit.errors import Conflict, Unavailable


def item(path: str, content: bytes = b"hello\n") -> dict[str, Any]:
    return {
        "path": path,
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "created_at": "2026-11-21T04:35:18Z",
        "url": f"/runs/r1/artifacts/{path}",
    }


@pytest.fixture
def api() -> Iterator[Api]:
    client = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, content=b"hello\n")), base_url="http://server"
    )
    with Api(client, asyncio.Runner()) as opened:
        yield opened


def test_download_when_all_is_well_then_files_lie_below_the_folder_and_paths_are_printed(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new"
    for _ in range(2):  # what is there already is left as it is
        download_artifacts(api, [item("a.txt"), item("sub/b.txt")], folder)
        out, err = capsys.readouterr()
        assert out.splitlines() == [str(folder / "a.txt"), str(folder / "sub/b.txt")]
        assert err == f"2 artifacts in {folder}, 12 B.\n"
    assert sorted(path.name for path in folder.rglob("*")) == ["a.txt", "b.txt", "sub"]
    assert (folder / "sub" / "b.txt").read_bytes() == b"hello\n"


def test_download_when_another_file_is_there_then_it_is_left_alone(api: Api, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(Conflict, match="is another file"):
        download_artifacts(api, [item("a.txt")], tmp_path)
    assert (tmp_path / "a.txt").read_text() == "mine"


def test_download_when_what_comes_is_damaged_then_nothing_is_left(api: Api, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="is not what the run left"):
        download_artifacts(api, [item("a.txt", b"other")], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_download_when_the_folder_cannot_be_written_then_it_says_which(api: Api, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be written"):
        download_artifacts(api, [item("a.txt")], tmp_path / "file")


@pytest.mark.parametrize("path", ["../../escape.txt", "/escape.txt", "sub/../../escape.txt"])
def test_download_when_a_path_leads_elsewhere_then_it_stays_below_the_folder(
    api: Api, tmp_path: Path, path: str
) -> None:
    folder = tmp_path / "inner" / "folder"
    download_artifacts(api, [item(path)], folder)
    (written,) = [found for found in tmp_path.rglob("*") if found.is_file()]
    assert written.is_relative_to(folder)


def test_print_artifacts_when_there_are_none_then_it_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    print_artifacts([])
    out, err = capsys.readouterr()
    assert (out, "FASTFLOW_ARTIFACTS" in err) == ("", True)
