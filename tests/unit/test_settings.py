"""A wrong setting stops the start and is named."""

from pathlib import Path

import pytest

from fastflow.kit.errors import InvalidInput
from fastflow.settings import load_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_load_settings_when_several_are_wrong_then_each_is_named_with_its_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "MAX_CONCURRENT_RUNS": "many",
        "STOP_GRACE": "soon",
        "RUN_MEMORY": "huge",
        "PORT": "70000",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert set(caught.value.fields) == {"MAX_CONCURRENT_RUNS", "STOP_GRACE", "RUN_MEMORY", "PORT"}
    assert '"90s"' in caught.value.fields["STOP_GRACE"]
    assert all(name in caught.value.message for name in caught.value.fields)


def test_load_settings_when_values_are_written_as_people_do_then_they_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"STOP_GRACE": "1m", "RUN_MEMORY": "2GB", "RUN_WRITABLE_PATHS": "/a:/b", "LOGS_DIR": ""}.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(port=9000, host=None)
    assert (settings.stop_grace, settings.run_memory, settings.port) == (60.0, 2 * 2**30, 9000)
    assert settings.run_writable_paths == (Path("/a"), Path("/b"))
    assert (settings.host, settings.logs_dir) == ("127.0.0.1", Path.cwd() / "logs")


def test_load_settings_when_an_env_file_is_there_then_the_environment_wins_over_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("PORT=1234\nHOST=0.0.0.0\n")
    monkeypatch.setenv("PORT", "4321")
    settings = load_settings()
    assert (settings.port, settings.host) == (4321, "0.0.0.0")
