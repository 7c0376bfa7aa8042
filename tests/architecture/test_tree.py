"""The tree keeps its shape: test files mirror source files, nothing speaks of one machine, files stay small."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "fastflow"
UNIT = ROOT / "tests" / "unit"
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".sh", ".cfg", ".ini", ".txt", ".mako", ""}
LONGEST = 500

FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w.])/(work|home/\w+|Users/\w+|farm|root/\.\w+)(/|\b)"),
    "an unfinished thought": re.compile(
        r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|Not" + r"ImplementedError|coming " + r"soon)\b"
    ),
    "a skipped test": re.compile(r"pytest\.(mark\.)?(sk" + r"ip|xf" + r"ail)\w*\b|pytest\.importor" + r"skip"),
    "an empty assertion": re.compile(r"\bassert " + r"True\b"),
}


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that belongs to the project, committed or about to be; in an unpacked archive, every file there is."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        hidden = (".venv", ".tools", "__pycache__", ".git")
        found = [path for path in ROOT.rglob("*") if not any(part in hidden for part in path.parts)]
    return tuple(path for path in found if path.is_file())


def text_files() -> list[Path]:
    return [path for path in project_files() if path.suffix in TEXT and path.name not in ("uv.lock", "LICENSE")]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_files_when_searched_then_none_holds(what: str) -> None:
    pattern = FORBIDDEN[what]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, f"{what}:\n" + "\n".join(found)


def test_lock_when_read_then_every_package_comes_from_pypi() -> None:
    for lock in (path for path in project_files() if path.name == "uv.lock"):
        hosts = set(re.findall(r"https?://([^/\"]+)", lock.read_text()))
        assert hosts <= {"pypi.org", "files.pythonhosted.org"}, lock


def test_unit_tests_when_listed_then_each_mirrors_a_source_file_or_folder() -> None:
    strangers = []
    for test in UNIT.rglob("test_*.py"):
        place = SOURCE / test.parent.relative_to(UNIT)
        name = test.stem.removeprefix("test_")
        # a folder of the source may have its behaviour spread over several test files named after its modules
        if not any(candidate.exists() for candidate in _mirrored(place, name)):
            strangers.append(str(test.relative_to(ROOT)))
    assert not strangers, f"no source file for: {strangers}"


def _mirrored(place: Path, name: str) -> list[Path]:
    """Source files that a test of this name may belong to: `test_service.py` and `test_service_cancel.py` to `service.py`."""
    words = name.split("_")
    stems = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    return [place / f"{stem}.py" for stem in stems] + [place / stem for stem in stems]


def test_source_files_when_measured_then_none_holds_two_ideas() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in SOURCE.rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > LONGEST
    }
    assert not long, f"longer than {LONGEST} lines: {long}"


def test_source_when_listed_then_the_package_is_typed() -> None:
    assert (SOURCE / "py.typed").exists()
