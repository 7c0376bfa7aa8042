from pathlib import Path

import pytest

from fastflow.kernel.environments.domain.environment import EnvironmentRequest, Interpreter, Kind, Lock, normalise_lock

CODE = Path("/data/code/abc")


def _hash(kind: Kind, content: dict[str, str], python: str | None = None, *, needs_code: bool = False) -> str:
    request = EnvironmentRequest(kind=kind, content=content, code_dir=CODE, python=python, needs_code=needs_code)
    return request.input_hash


def _lock(text: str = "six==1.17.0", **changed: object) -> Lock:
    given: dict[str, object] = {
        "text": text,
        "interpreter": Interpreter(path=Path("/usr/bin/python3"), version="cpython-3.11.7"),
        "platform": "linux-x86_64-glibc",
    }
    return Lock(**(given | changed))  # type: ignore[arg-type]  # any field may be changed


@pytest.mark.parametrize(
    ("kind", "name", "one", "same"),
    [
        ("requirements", "requirements.txt", "six\npackaging\n", "# why\nsix  # this\n\npackaging"),
        (
            "script",
            "main.py",
            '# /// script\n# dependencies = ["six"]\n# ///\n',
            "# /// script\n# dependencies = [ 'six' ]\n# [tool.fastflow]\n# timeout = 3\n# ///\n",
        ),
        (
            "project",
            "pyproject.toml",
            '[project]\nname = "a"\ndependencies = ["six"]\n',
            '[project]\nname = "a"\ndependencies = ["six"]\n[tool.ruff]\nline-length = 1\n',
        ),
    ],
)
def test_input_hash_when_only_what_uv_ignores_changes_then_the_same(kind: Kind, name: str, one: str, same: str) -> None:
    assert _hash(kind, {name: one}) == _hash(kind, {name: same})
    assert _hash(kind, {name: one}) != _hash(kind, {name: one.replace("six", "idna")})
    assert _hash(kind, {name: one}) != _hash(kind, {name: one}, "3.12")


def test_input_hash_when_uv_settings_change_then_another() -> None:
    plain = '[project]\ndependencies = ["six"]\n'
    other = plain + '[tool.uv]\nindex-url = "https://example.org"\n'
    assert _hash("project", {"pyproject.toml": plain}) != _hash("project", {"pyproject.toml": other})


def test_input_hash_when_the_code_is_part_of_it_then_another_per_snapshot() -> None:
    content = {"requirements.txt": "./lib\n"}
    assert _hash("requirements", content) != _hash("requirements", content, needs_code=True)


def test_input_hash_when_a_file_is_broken_then_its_text_counts() -> None:
    assert _hash("project", {"pyproject.toml": "[["}) != _hash("project", {"pyproject.toml": "[[["})


def test_lock_hash_when_lock_interpreter_platform_or_code_change_then_another() -> None:
    hashes = {
        _lock().hash,
        _lock("six==1.16.0").hash,
        _lock(interpreter=Interpreter(path=Path("/usr/bin/python3"), version="cpython-3.11.8")).hash,
        _lock(platform="linux-aarch64-glibc").hash,
        _lock(code_dir=CODE).hash,
    }
    assert len(hashes) == 5


def test_lock_hash_when_only_comments_or_the_interpreters_place_change_then_the_same() -> None:
    elsewhere = Interpreter(path=Path("/opt/python3"), version="cpython-3.11.7")
    assert _lock("# made by uv\nsix==1.17.0\n\n", interpreter=elsewhere).hash == _lock().hash


def test_lock_when_counted_then_hashes_are_no_packages() -> None:
    lock = _lock(
        "six==1.17.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n# via x\nidna==3 ; python_version > '3'\n"
    )
    assert lock.packages == 2
    assert normalise_lock(lock.text).count("\n") == 3
