import json
from pathlib import Path

import pytest

from fastflow.effective import HIDDEN, NOTED, Effective, EffectiveSettings, find_origins, note_origins
from fastflow.settings import load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `.env` is read."""
    monkeypatch.chdir(tmp_path)
    for name in ("PORT", "HOST", "SERVER_URL", "LOG_RETENTION_DAYS", "DATABASE_URL", "ENCRYPTION_KEY", NOTED):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def look() -> dict[str, Effective]:
    found, problem = EffectiveSettings(load_settings()).look()
    assert problem == ""
    return {setting.name: setting for setting in found}


def test_origins_when_a_variable_and_the_file_name_the_same_then_the_variable_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text("PORT=9001\nlog_retention_days=7\n")
    monkeypatch.setenv("PORT", "9000")
    found = look()
    assert (found["PORT"].origin, found["PORT"].value, found["PORT"].default) == ("environment", "9000", "8000")
    assert (found["LOG_RETENTION_DAYS"].origin, found["LOG_RETENTION_DAYS"].value) == ("file", "7")
    assert found["LOG_LEVEL"].origin == "default"


def test_origins_when_the_parent_passed_on_what_flags_said_then_children_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    noted = note_origins(("host", "port", "server_url"), flags=["port"], derived=["server_url"])
    assert json.loads(noted) == {"host": "environment", "port": "flag", "server_url": "derived"}
    for name, value in ((NOTED, noted), ("PORT", "1"), ("SERVER_URL", "http://here")):
        monkeypatch.setenv(name, value)
    found = find_origins()
    assert (found["host"], found["port"], found["server_url"]) == ("environment", "flag", "derived")


def test_values_when_they_are_secret_or_hold_a_password_then_none_of_it_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:geheim@db:5432/ff")
    monkeypatch.setenv("ENCRYPTION_KEY", "geheim")
    found = look()
    assert found["DATABASE_URL"].value == "postgresql://***@db:5432/ff"
    assert (found["ENCRYPTION_KEY"].value, found["ENCRYPTION_KEY"].is_secret) == (HIDDEN, True)
    assert "geheim" not in str(found)


def test_file_when_changed_since_the_start_then_what_the_next_start_makes_of_it(folder: Path) -> None:
    settings = EffectiveSettings(load_settings())
    (folder / ".env").write_text("LOG_RETENTION_DAYS=3\n")
    found, problem = settings.look()
    assert {each.name: each.later for each in found if each.later is not None} == {"LOG_RETENTION_DAYS": "3"}
    (folder / ".env").write_text("LOG_RETENTION_DAYS=soon\n")
    found, problem = settings.look()
    assert "LOG_RETENTION_DAYS" in problem
    assert not [each for each in found if each.later is not None]
