"""Nothing that was written is lost or repeated on its way, and no artifact leads outside."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastflow.kernel.executors.ray.node as agent_package
import fastflow.kernel.executors.sidecar as sidecar_package

sys.path.insert(0, str(Path(agent_package.__file__).parent))
sys.path.insert(0, str(Path(sidecar_package.__file__).parent))
import shipping
import uplink

sys.path.pop(0)
sys.path.pop(0)


class Server:
    """Takes pieces where they belong; `trouble` says what happens to the next requests."""

    def __init__(self, *trouble: str) -> None:
        self.data = bytearray()
        self.files: dict[str, bytearray] = {}
        self.trouble = list(trouble)
        self.asked = 0

    def ask(self, what: str, body: bytes, query: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        trouble = self.trouble.pop(0) if self.trouble else ""
        if trouble == "away":
            raise uplink.Away("nobody there")
        stream = self.files.setdefault(query["path"], bytearray()) if what == "artifacts" else self.data
        if query["offset"] != len(stream):
            told = {"offset": len(stream)}
            raise uplink.Refused("wrong_offset", "wrong", told)
        stream += body
        if trouble == "answer lost":
            raise uplink.Away("the answer got lost")
        if trouble in ("too_large", "attempt_over"):
            raise uplink.Refused(trouble, "no", {})
        return {"size": len(stream)}


def _push(stream: Any) -> None:
    while True:
        try:
            stream.push()
            return
        except uplink.Away:
            continue


@given(
    pieces=st.lists(st.binary(max_size=60), max_size=8),
    trouble=st.lists(st.sampled_from(["", "away", "answer lost"]), max_size=20),
    chunk=st.integers(1, 40),
)
@settings(max_examples=60, deadline=None)
def test_log_when_the_server_comes_and_goes_then_it_arrives_once_and_whole(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], trouble: list[str], chunk: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    server = Server(*trouble)
    stream = shipping.Stream(server, "log", str(path), chunk)
    for piece in pieces:
        with path.open("ab") as file:
            file.write(piece)
        _push(stream)
    stream.close()
    assert bytes(server.data) == b"".join(pieces)


def test_stream_when_the_file_is_not_there_yet_then_nothing_is_sent(tmp_path: Path) -> None:
    stream = shipping.Stream(Server(), "log", str(tmp_path / "log"), 10)
    assert stream.push() is False


def test_stream_when_the_server_wants_more_than_there_is_then_it_is_over(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"few")
    server = Server()
    server.data += b"much more than few"
    stream = shipping.Stream(server, "log", str(tmp_path / "log"), 10)
    with pytest.raises(uplink.Refused) as caught:
        stream.push()
    stream.close()
    assert caught.value.is_final


@pytest.mark.parametrize(("code", "kind"), [("attempt_over", uplink.Refused), ("too_large", uplink.Away)])
def test_stream_when_refused_then_only_the_last_word_counts(tmp_path: Path, code: str, kind: type[Exception]) -> None:
    (tmp_path / "log").write_bytes(b"data")
    stream = shipping.Stream(Server(code), "log", str(tmp_path / "log"), 10)
    with pytest.raises(kind):
        stream.push()
    stream.close()


@pytest.fixture
def left(tmp_path: Path) -> Path:
    folder = tmp_path / "artifacts"
    (folder / "plots").mkdir(parents=True)
    (folder / "a.csv").write_bytes(b"a,b\n" * 10)
    (folder / "plots" / "b.png").write_bytes(b"png")
    (folder / "empty").touch()
    return folder


def test_artifacts_when_sent_then_all_files_with_their_folders(left: Path) -> None:
    server = Server("", "away", "answer lost", "away")
    artifacts = shipping.Artifacts(server, str(left), 16, 1000)
    _push(artifacts)
    assert {path: bytes(data) for path, data in server.files.items()} == {
        "a.csv": b"a,b\n" * 10,
        "plots/b.png": b"png",
        "empty": b"",
    }
    assert artifacts.notes == []


def test_artifacts_when_no_plain_files_then_left_out_with_a_note(left: Path) -> None:
    (left / "link").symlink_to("/etc/passwd")
    (left / "folder-link").symlink_to("/etc")
    os.mkfifo(left / "pipe")
    (left / "new\nline").touch()
    server = Server()
    artifacts = shipping.Artifacts(server, str(left), 16, 1000)
    artifacts.push()
    assert set(server.files) == {"a.csv", "plots/b.png", "empty"}
    assert len(artifacts.notes) == 4 and all("left out" in note for note in artifacts.notes)


def test_artifacts_when_too_large_together_then_the_rest_is_left_out(left: Path) -> None:
    server = Server()
    artifacts = shipping.Artifacts(server, str(left), 16, 41)
    artifacts.push()
    assert set(server.files) == {"a.csv", "empty"}
    assert [note for note in artifacts.notes if "41 bytes" in note and "b.png" in note]


def test_artifacts_when_the_server_refuses_one_then_the_others_are_sent(left: Path) -> None:
    server = Server("too_large")
    artifacts = shipping.Artifacts(server, str(left), 1000, 1000)
    artifacts.push()
    assert "plots/b.png" in server.files and len(artifacts.notes) == 1
