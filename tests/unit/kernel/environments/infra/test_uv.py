import sys
from pathlib import Path

import pytest

from fastflow.kernel.environments.domain.errors import SetupFailed
from fastflow.kernel.environments.infra.uv import Uv, UvConfig, clean_environment


def _config(**changed: object) -> UvConfig:
    given: dict[str, object] = {
        "binary": Path(sys.executable),
        "cache_dir": Path("/cache"),
        "python_dir": Path("/python"),
        "environ": {},
    }
    return UvConfig(**(given | changed))  # type: ignore[arg-type]  # any field may be changed


def test_environment_when_cleaned_then_only_what_uv_needs_is_left() -> None:
    given = {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "UV_INDEX_PRIVATE_PASSWORD": "p",
        "UV_OFFLINE": "1",
        "ENCRYPTION_KEY": "secret",
        "DATABASE_URL": "postgresql://u:p@h/d",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": "/x",
        "VIRTUAL_ENV": "/venv",
        "UV_CACHE_DIR": "/other",
    }
    assert clean_environment(_config(environ=given)) == {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "UV_INDEX_PRIVATE_PASSWORD": "p",
        "UV_OFFLINE": "1",
        "UV_CACHE_DIR": "/cache",
        "UV_PYTHON_INSTALL_DIR": "/python",
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
    }


async def test_run_when_it_succeeds_then_stdout_is_the_answer_and_stderr_goes_to_the_listener() -> None:
    lines: list[str] = []
    code = "import sys; print('answer'); print('one', file=sys.stderr); sys.stderr.buffer.write(b'two \\xff\\n')"
    assert await Uv(_config()).run("-c", code, cwd=None, on_line=lines.append) == "answer\n"
    assert lines == ["one", "two �"]


async def test_run_when_it_fails_then_its_own_words_are_the_message_cut_at_the_front() -> None:
    code = "import sys; sys.stderr.write('x' * 10000 + '\\nerror: No solution found when resolving\\n'); sys.exit(1)"
    with pytest.raises(SetupFailed) as caught:
        await Uv(_config()).run("-c", code, cwd=None)
    assert caught.value.message.endswith("error: No solution found when resolving")
    assert len(caught.value.message) <= 4001
    assert "requirement" in caught.value.hint


async def test_run_when_it_fails_silently_then_still_a_message() -> None:
    with pytest.raises(SetupFailed, match="ended with 3 and said nothing"):
        await Uv(_config()).run("-c", "raise SystemExit(3)", cwd=None)


async def test_run_when_it_takes_too_long_then_killed_and_told() -> None:
    code = "import sys, signal; print('busy', file=sys.stderr, flush=True); signal.pause()"
    with pytest.raises(SetupFailed, match=r"within 0\.5 seconds"):
        await Uv(_config(timeout_seconds=0.5)).run("-c", code, cwd=None)


async def test_run_when_the_program_is_missing_then_told() -> None:
    with pytest.raises(SetupFailed, match="could not be started"):
        await Uv(_config(binary=Path("/nonexistent/uv"))).run("--version", cwd=None)
