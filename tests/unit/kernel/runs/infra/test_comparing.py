"""Snapshots and locks compared."""

from pathlib import Path

import pytest

from fastflow.kernel.runs.domain.changed_lines import MAX_SHOWN_CHARS, MAX_SHOWN_LINES
from fastflow.kernel.runs.domain.comparing import FileChange, PackageChange
from fastflow.kernel.runs.infra.comparing import MAX_TEXT_BYTES, KeptParts
from fastflow.kit.errors import NotFound
from fastflow.testing.run_doubles import ENVIRONMENT, MemoryEnvironments


class Folders:
    """Snapshots in folders named by their hash."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, name: str, **files: str | bytes) -> None:
        for path, content in files.items():
            target = self.root / name / path.replace("__", "/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)

    def thaw(self, tree_hash: str) -> Path:
        if not (self.root / tree_hash).exists():
            raise NotFound("It is gone.")
        return self.root / tree_hash


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


@pytest.fixture
def parts(folders: Folders) -> KeptParts:
    return KeptParts(folders, MemoryEnvironments())


def test_compare_code_when_files_differ_then_each_is_told_and_equal_ones_are_not(
    folders: Folders, parts: KeptParts
) -> None:
    folders.add("a", main="1\n2\n", lib__same="x", lib__old="gone\n", tool="run")
    folders.add("b", main="1\n3\n", lib__same="x", lib__new="new\n", tool="run")
    (folders.root / "b" / "tool").chmod(0o755)
    assert parts.compare_code("a", "b") == [
        FileChange(path="lib/new", kind="added", added_lines=1, removed_lines=0, diff="@@ -0,0 +1 @@\n+new"),
        FileChange(path="lib/old", kind="removed", added_lines=0, removed_lines=1, diff="@@ -1 +0,0 @@\n-gone"),
        FileChange(path="main", kind="changed", added_lines=1, removed_lines=1, diff="@@ -1,2 +1,2 @@\n 1\n-2\n+3"),
        FileChange(path="tool", kind="mode"),
    ]


def test_compare_code_when_a_file_is_large_then_it_is_told_without_lines(folders: Folders, parts: KeptParts) -> None:
    folders.add("a", data=b"x" * (MAX_TEXT_BYTES + 1))
    folders.add("b", data=b"y" * (MAX_TEXT_BYTES + 1))
    assert parts.compare_code("a", "b") == [FileChange(path="data", kind="changed")]


def test_compare_code_when_a_snapshot_is_gone_then_none(folders: Folders, parts: KeptParts) -> None:
    folders.add("a", main="1")
    assert parts.compare_code("a", "b") is None


def test_compare_environments_when_their_locks_are_known_then_packages(tmp_path: Path) -> None:
    class TwoLocks(MemoryEnvironments):
        def card(self, environment: str):  # type: ignore[no-untyped-def]
            self.lock = "pandas==2.2.0\n" if environment == ENVIRONMENT else "pandas==2.3.0\nnumpy==2.0\n"
            return super().card(ENVIRONMENT)

    parts = KeptParts(Folders(tmp_path), TwoLocks())
    assert parts.compare_environments(ENVIRONMENT, "f" * 64) == [
        PackageChange(name="numpy", left=None, right="2.0"),
        PackageChange(name="pandas", left="2.2.0", right="2.3.0"),
    ]


def test_compare_environments_when_one_is_gone_then_none(parts: KeptParts) -> None:
    assert parts.compare_environments(ENVIRONMENT, "f" * 64) is None


def test_compare_code_when_very_much_differs_then_lines_are_shown_up_to_a_bound_and_counted_beyond(
    folders: Folders, parts: KeptParts
) -> None:
    text = "\n".join("x" * 300 for _ in range(MAX_SHOWN_LINES))
    folders.add("a", **{f"f{number:02}": "" for number in range(9)})
    folders.add("b", **{f"f{number:02}": text for number in range(9)})
    changes = parts.compare_code("a", "b") or ()
    assert [change.added_lines for change in changes] == [MAX_SHOWN_LINES] * 9
    assert sum(len(change.diff or "") for change in changes) <= MAX_SHOWN_CHARS
    assert changes[0].diff and changes[8].diff is None and changes[8].is_cut


def test_compare_code_when_a_file_is_made_to_hold_secrets_then_its_lines_are_not_shown(
    folders: Folders, parts: KeptParts
) -> None:
    for name, value in (("a", "one"), ("b", "two")):
        folders.add(name)
        (folders.root / name).mkdir()
        (folders.root / name / ".env").write_text(f"DB={value}\n")
    assert parts.compare_code("a", "b") == [FileChange(path=".env", kind="changed", added_lines=1, removed_lines=1)]
